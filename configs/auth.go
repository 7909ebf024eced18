package configs

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// Secret is a text that no way to print it shows; Reveal gives it to who needs it.
type Secret struct{ text *string } // behind a pointer, as in ServerURL

// minSecret is how many bytes a secret must have: as many as the hash that it keys.
const minSecret = 32

// Decode reads a Secret.
func (s *Secret) Decode(value string) error {
	if len(value) < minSecret {
		return fmt.Errorf("it has %d bytes, and could be guessed; write at least %d, as openssl rand -base64 32 makes them", len(value), minSecret)
	}
	if strings.HasPrefix(value, "change-me") {
		return errors.New("it is the example's, which everybody knows; write the output of openssl rand -base64 32")
	}
	s.text = &value
	return nil
}

// IsZero reports whether there is none.
func (s Secret) IsZero() bool { return s.text == nil }

// Reveal gives the text. Do not print it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String gives *** in its place.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return "***"
}

// GoString is for %#v: as String, quoted.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// LogValue is for slog: as String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is for JSON and the like: as String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// PublicKeys are public keys from PEM text.
type PublicKeys struct {
	Keys []crypto.PublicKey `json:"-"`
}

// Decode reads PublicKeys: PEM text, in which a line end may be written as \n, or the path of a file of it. No value is
// printed: people put the private key there.
func (p *PublicKeys) Decode(value string) error {
	text := value
	if !strings.Contains(value, "-----BEGIN") {
		content, err := os.ReadFile(value)
		if err != nil {
			return fmt.Errorf("its file cannot be read: %w; give the path of a readable PEM file, or what is in it", reason(err))
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
		return nil, errors.New("it holds a private key, which belongs to whoever signs tokens alone; openssl pkey -pubout makes the public one of it")
	}
	return nil, fmt.Errorf("a block of the type %.40q in it is no public key; openssl pkey -pubout makes one of a private key", block.Type)
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
		return errors.New("it holds a user, and key sets are for everyone; leave it out")
	case parsed.Scheme == "http" && !Loopback(parsed.Hostname()+":0") && !Loopback("["+parsed.Hostname()+"]:0"):
		return errors.New("over http anyone on the way could put keys of their own into it; write https")
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
		return errors.New("it is no URL of a proxy; write it as http://proxy.example.com:3128")
	case parsed.User != nil:
		return errors.New("it holds a user, whose password would show; use a proxy that asks for none")
	case parsed.RawQuery+parsed.Fragment+strings.Trim(parsed.Path, "/") != "":
		return errors.New("it says more than where the proxy is; write it as http://proxy.example.com:3128")
	}
	u.URL = parsed
	return nil
}

// CookieName is the name of a cookie.
type CookieName string

// Decode reads a CookieName.
func (c *CookieName) Decode(value string) error {
	if (&http.Cookie{Name: value, Value: "x"}).Valid() != nil {
		return fmt.Errorf("%q is no name for a cookie; write letters, digits, - and _", value)
	}
	*c = CookieName(value)
	return nil
}

// keySettings name the key that tokens are signed with, of which there is one.
var keySettings = []string{"AUTH_JWT_SECRET", "AUTH_JWT_PUBLIC_KEY", "AUTH_JWKS_URL"}

// checkAuth refuses two kinds of keys, between which a token could choose, and what would be without effect for want of one.
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
		p.refuse("AUTH_TICKET_SECRET", "it is the secret of the tokens; make another with openssl rand -base64 32")
	}
	if s.Auth.MaxLife <= 0 {
		p.refuse("AUTH_MAX_LIFE", "%v is too short; it must be more than 0", s.Auth.MaxLife)
	}
	if s.IsSet("AUTH_JWKS_PROXY") && s.Auth.JwksURL == "" {
		p.refuse("AUTH_JWKS_PROXY", "without effect; set %s_AUTH_JWKS_URL, or remove it", Prefix)
	}
	if len(given) > 0 {
		return
	}
	keys := strings.Join([]string{Prefix + "_" + keySettings[0], "_" + keySettings[1], "_" + keySettings[2]}, ", ")
	for _, name := range []string{"AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_COOKIE", "AUTH_TICKET_SECRET"} {
		if s.IsSet(name) {
			p.refuse(name, "without a key no token is taken; set one of %s, or remove it", keys)
		}
	}
	for _, route := range s.Routes {
		if route.NeedsClaims() {
			p.refuse("ROUTES", "%q needs the claims of tokens, and without a key none is taken; set one of %s", route, keys)
		}
	}
}
