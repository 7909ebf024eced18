package configs

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// Secret is a text that printing never shows. Reveal returns it.
type Secret struct{ concealed }

// minSecret is the size of the shortest secret, in bytes: that of the hash it is used with.
const minSecret = 32

// Decode reads a Secret.
func (s *Secret) Decode(value string) error {
	if len(value) < minSecret {
		return fmt.Errorf("it has only %d bytes and could be guessed; write at least %d, such as the output of openssl rand -base64 32", len(value), minSecret)
	}
	if strings.HasPrefix(value, "change-me") {
		return errors.New("it is the example's, which is public; write the output of openssl rand -base64 32")
	}
	s.concealed = conceal(value, "***")
	return nil
}

// PublicKeys are public keys from PEM text.
type PublicKeys struct {
	Keys []crypto.PublicKey `json:"-"`
}

// Decode reads PublicKeys: PEM text, in which \n may stand for a line end, or the path of a PEM file. Errors never show the value,
// because people put the private key there.
func (p *PublicKeys) Decode(value string) error {
	text := value
	if !strings.Contains(value, "-----BEGIN") {
		content, err := os.ReadFile(value)
		if err != nil {
			return fmt.Errorf("its file cannot be read: %w; give the path of a readable PEM file, or its content", reason(err))
		}
		text = string(content)
	}
	keys, err := parsePublicKeys(strings.ReplaceAll(text, `\n`, "\n"))
	p.Keys = keys
	return err
}

func parsePublicKeys(text string) ([]crypto.PublicKey, error) {
	var keys []crypto.PublicKey
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		key, err := parsePublicKey(block)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no PEM block; write a public key that begins with -----BEGIN PUBLIC KEY-----")
	}
	return keys, nil
}

func parsePublicKey(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
			return key, nil
		}
	case "RSA PUBLIC KEY":
		if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
			return key, nil
		}
	case "CERTIFICATE":
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			return certificate.PublicKey, nil
		}
	}
	if strings.Contains(block.Type, "PRIVATE KEY") {
		return nil, errors.New("it holds a private key, which only the signer of tokens may have; write its public key, from openssl pkey -pubout")
	}
	return nil, fmt.Errorf("a block of the type %.40q in it is not a public key; openssl pkey -pubout prints that of a private key", block.Type)
}

// KeySetURL is the URL of a JSON Web Key Set.
type KeySetURL string

// Decode reads a KeySetURL.
func (u *KeySetURL) Decode(value string) error {
	parsed, err := url.Parse(value)
	switch {
	case err != nil, parsed.Host == "", parsed.Scheme != "https" && parsed.Scheme != "http":
		return errors.New("it is not a URL; write it as https://id.example.com/.well-known/jwks.json")
	case parsed.User != nil:
		return errors.New("it holds a user; remove it, key sets are public")
	case parsed.Scheme == "http" && !Loopback(parsed.Hostname()+":0") && !Loopback("["+parsed.Hostname()+"]:0"):
		return errors.New("over http anyone on the network could replace the keys; write https")
	}
	*u = KeySetURL(value)
	return nil
}

// ProxyURL is the URL of an HTTP proxy.
type ProxyURL struct{ *url.URL }

// Decode reads a ProxyURL.
func (u *ProxyURL) Decode(value string) error {
	parsed, err := url.Parse(value)
	switch {
	case err != nil, parsed.Hostname() == "", parsed.Scheme != "http" && parsed.Scheme != "https":
		return errors.New("it is not the URL of a proxy; write it as http://proxy.example.com:3128")
	case parsed.User != nil:
		return errors.New("it holds a user, whose password would show; use a proxy without sign-in")
	case parsed.RawQuery+parsed.Fragment+strings.Trim(parsed.Path, "/") != "":
		return errors.New("it holds more than the proxy's address; write it as http://proxy.example.com:3128")
	}
	u.URL = parsed
	return nil
}

// CookieName is the name of a cookie.
type CookieName string

// Decode reads a CookieName.
func (c *CookieName) Decode(value string) error {
	if (&http.Cookie{Name: value, Value: "x"}).Valid() != nil {
		return fmt.Errorf("%q is not valid as a cookie name; write letters, digits, - and _", value)
	}
	*c = CookieName(value)
	return nil
}

// keySettings name the key that verifies tokens. One of them may be set.
var keySettings = []string{"AUTH_JWT_SECRET", "AUTH_JWT_PUBLIC_KEY", "AUTH_JWKS_URL"}

// checkAuth refuses two kinds of keys, because a token could choose between them, and settings that have no effect without a key.
func (p *problems) checkAuth(s *Settings) {
	var given []string
	for _, name := range keySettings {
		if s.IsSet(name) {
			given = append(given, name)
		}
	}
	if len(given) > 1 {
		for _, name := range given[1:] {
			p.refuse(name, "it cannot be used together with %s_%s; remove one of them", Prefix, given[0])
		}
	}
	if s.IsSet("AUTH_TICKET_SECRET") && s.IsSet("AUTH_JWT_SECRET") && s.Auth.TicketSecret.Reveal() == s.Auth.JWTSecret.Reveal() {
		p.refuse("AUTH_TICKET_SECRET", "it is also the secret of the tokens; write a different one, from openssl rand -base64 32")
	}
	if s.Auth.MaxLife <= 0 {
		p.refuse("AUTH_MAX_LIFE", "%v is too short; it must be more than 0", s.Auth.MaxLife)
	}
	if s.IsSet("AUTH_JWKS_PROXY") && s.Auth.JwksURL == "" {
		p.refuse("AUTH_JWKS_PROXY", "it has no effect without a key set; set %s_AUTH_JWKS_URL, or remove it", Prefix)
	}
	if len(given) > 0 {
		return
	}
	keys := strings.Join([]string{Prefix + "_" + keySettings[0], "_" + keySettings[1], "_" + keySettings[2]}, ", ")
	for _, name := range []string{"AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_COOKIE", "AUTH_TICKET_SECRET"} {
		if s.IsSet(name) {
			p.refuse(name, "without a key no token is accepted; set one of %s, or remove it", keys)
		}
	}
	for _, route := range s.Routes {
		if route.NeedsClaims() {
			p.refuse("ROUTES", "%q needs the claims of tokens, but without a key no token is accepted; set one of %s", route, keys)
		}
	}
}
