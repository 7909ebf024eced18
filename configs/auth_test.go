package configs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	goodSecret  = "0123456789 0123456789 0123456789"
	otherSecret = "another one of at least 32 bytes"
)

// publicPEM returns a new public key as PEM text, and its private key.
func publicPEM(t *testing.T, kind string) (public, private string) {
	t.Helper()
	var key any
	var err error
	switch kind {
	case "RSA":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ECDSA":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	inside, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	outside, err := x509.MarshalPKIXPublicKey(key.(crypto.Signer).Public())
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return encode("PUBLIC KEY", outside), encode("PRIVATE KEY", inside)
}

func TestAuth(t *testing.T) {
	environ(t)
	if load(t, "").Auth.SignsIn() {
		t.Error("tokens are accepted without a key")
	}
	environ(t, "TAILWATER_AUTH_JWT_SECRET="+goodSecret, "TAILWATER_AUTH_TICKET_SECRET="+otherSecret, "TAILWATER_AUTH_COOKIE=__Host-tailwater",
		"TAILWATER_AUTH_ISSUER=i", "TAILWATER_AUTH_AUDIENCE=a", "TAILWATER_ROUTES=/inbox=user.{claim.sub}.inbox, POST /outbox=user.{claim.sub}.outbox")
	s := load(t, "")
	same(t, "JWT_SECRET", s.Auth.JWTSecret.Reveal(), goodSecret)
	same(t, "TICKET_SECRET", s.Auth.TicketSecret.Reveal(), otherSecret)
	same(t, "the rest", fmt.Sprint(s.Auth.Cookie, " ", s.Auth.Issuer, " ", s.Auth.Audience, " ", s.Auth.SignsIn()), "__Host-tailwater i a true")
	same(t, "Routes", len(s.Routes), 2)
	for url, want := range map[string]bool{"https://id.example.com/keys?x": true, "http://localhost:9000/keys": true, "http://127.0.0.1/keys": true, "http://[::1]:1/keys": true} {
		environ(t, "TAILWATER_AUTH_JWKS_URL="+url)
		same(t, url, load(t, "").Auth.SignsIn(), want)
	}
	same(t, "MaxLife", load(t, "").Auth.MaxLife, 30*24*time.Hour)
	environ(t, "TAILWATER_AUTH_JWKS_URL=https://h/k", "TAILWATER_AUTH_JWKS_PROXY=http://proxy.example.com:3128", "TAILWATER_AUTH_MAX_LIFE=1h")
	s = load(t, "")
	same(t, "the proxy and MaxLife", fmt.Sprint(s.Auth.JwksProxy, " ", s.Auth.MaxLife), "http://proxy.example.com:3128 1h0m0s")
}

func TestPublicKeys(t *testing.T) {
	var all string
	for _, kind := range []string{"RSA", "ECDSA", "Ed25519"} {
		public, private := publicPEM(t, kind)
		all += public
		for _, value := range []string{public, write(t, "key.pem", public), strings.ReplaceAll(public, "\n", `\n`), "a comment\n" + public} {
			environ(t, "TAILWATER_AUTH_JWT_PUBLIC_KEY="+value)
			same(t, kind, len(load(t, "").Auth.JWTPublicKey.Keys), 1)
		}
		for _, value := range []string{private, write(t, "key.pem", private), public + private} {
			environ(t, "TAILWATER_AUTH_JWT_PUBLIC_KEY="+value)
			lines := refused(t, "")
			if len(lines) != 1 || !strings.Contains(lines[0], "a private key, which only the signer") || strings.Contains(lines[0], private[40:60]) {
				t.Errorf("%q", lines)
			}
		}
	}
	environ(t, "TAILWATER_AUTH_JWT_PUBLIC_KEY="+all)
	same(t, "keys", len(load(t, "").Auth.JWTPublicKey.Keys), 3)
}

func TestAuthIsRefused(t *testing.T) {
	public, _ := publicPEM(t, "Ed25519")
	certificate := "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
	for _, test := range []refusal{
		{[]string{"AUTH_JWT_SECRET=swordfish"}, "AUTH_JWT_SECRET: it has only 9 bytes and could be guessed…openssl rand -base64 32"},
		{[]string{"AUTH_JWT_SECRET=" + goodSecret, "AUTH_TICKET_SECRET=swordfish"}, "AUTH_TICKET_SECRET: it has only 9 bytes…"},
		{[]string{"AUTH_JWT_SECRET=" + goodSecret, "AUTH_TICKET_SECRET=" + goodSecret}, "AUTH_TICKET_SECRET: it is also the secret of the tokens…"},
		{[]string{"AUTH_JWT_SECRET=change-me-to-the-output-of-openssl-rand-base64-32"}, "AUTH_JWT_SECRET: it is the example's…"},
		{[]string{"AUTH_JWT_SECRET="}, "AUTH_JWT_SECRET: it is set but empty…"},
		{[]string{"AUTH_JWT_SECRET=" + goodSecret, "AUTH_JWKS_URL=https://h/k"}, "AUTH_JWKS_URL: it cannot be used together with TAILWATER_AUTH_JWT_SECRET; remove one…"},
		{[]string{"AUTH_JWT_SECRET=" + goodSecret, "AUTH_JWT_PUBLIC_KEY=" + public}, "AUTH_JWT_PUBLIC_KEY: it cannot be used together…"},
		{[]string{"AUTH_JWT_PUBLIC_KEY=/nowhere/key.pem"}, "AUTH_JWT_PUBLIC_KEY: its file cannot be read: no such file…PEM file"},
		{[]string{"AUTH_JWT_PUBLIC_KEY=" + certificate}, `AUTH_JWT_PUBLIC_KEY: a block of the type "CERTIFICATE" in it is not a public key…`},
		{[]string{"AUTH_JWT_PUBLIC_KEY=-----BEGIN nonsense"}, "AUTH_JWT_PUBLIC_KEY: it holds no PEM block…"},
		{[]string{"AUTH_JWKS_URL=http://id.example.com/k"}, "AUTH_JWKS_URL: over http anyone on the network could…write https"},
		{[]string{"AUTH_JWKS_URL=id.example.com/k"}, "AUTH_JWKS_URL: it is not a URL…"},
		{[]string{"AUTH_JWKS_URL=ftp://id.example.com/k"}, "AUTH_JWKS_URL: it is not a URL…"},
		{[]string{"AUTH_JWKS_URL=https://a:swordfish@id.example.com/k"}, "AUTH_JWKS_URL: it holds a user…"},
		{[]string{"AUTH_JWT_SECRET=" + goodSecret, "AUTH_MAX_LIFE=0s"}, "AUTH_MAX_LIFE: 0s is too short…more than 0"},
		{[]string{"AUTH_JWT_SECRET=" + goodSecret, "AUTH_MAX_LIFE=30d"}, "AUTH_MAX_LIFE: …duration"},
		{[]string{"AUTH_JWKS_PROXY=http://proxy:3128"}, "AUTH_JWKS_PROXY: it has no effect…set TAILWATER_AUTH_JWKS_URL…"},
		{[]string{"AUTH_JWKS_URL=https://h/k", "AUTH_JWKS_PROXY=proxy:3128"}, "AUTH_JWKS_PROXY: it is not the URL…"},
		{[]string{"AUTH_JWKS_URL=https://h/k", "AUTH_JWKS_PROXY=socks5://proxy"}, "AUTH_JWKS_PROXY: it is not the URL…"},
		{[]string{"AUTH_JWKS_URL=https://h/k", "AUTH_JWKS_PROXY=http://a:swordfish@proxy"}, "AUTH_JWKS_PROXY: it holds a user…"},
		{[]string{"AUTH_JWKS_URL=https://h/k", "AUTH_JWKS_PROXY=http://proxy/x"}, "AUTH_JWKS_PROXY: it holds more…"},
		{[]string{"AUTH_COOKIE=a"}, "AUTH_COOKIE: without a key no token is accepted; set one of TAILWATER_AUTH_JWT_SECRET, _AUTH_JWT_PUBLIC_KEY, _AUTH_JWKS_URL, or remove it…"},
		{[]string{"AUTH_ISSUER=a"}, "AUTH_ISSUER: without a key…"},
		{[]string{"AUTH_AUDIENCE=a"}, "AUTH_AUDIENCE: without a key…"},
		{[]string{"AUTH_TICKET_SECRET=" + goodSecret}, "AUTH_TICKET_SECRET: without a key…"},
		{[]string{"AUTH_JWT_SECRET=" + goodSecret, "AUTH_COOKIE=a b"}, `AUTH_COOKIE: "a b" is not valid as a cookie name…`},
		{[]string{"ROUTES=/inbox=user.{claim.sub}.inbox"}, `ROUTES: "/inbox=user.{claim.sub}.inbox" needs the claims of tokens…set one of TAILWATER_AUTH_JWT_SECRET`},
		{[]string{"AUTH_JWT_SECRET=" + goodSecret, "ROUTES=/x/{a}={claim.sub}.{a}"}, `ROUTES: "/x/{a}={claim.sub}.{a}" matches…`},
		{[]string{"AUTH_JWT_SECRET=" + goodSecret, "ROUTES=/x=$SYS.{claim.sub}"}, `ROUTES: …matches…`},
		{[]string{"AUTH_JWT_SECRET=" + goodSecret, "ROUTES=/x=$KV.{claim.sub}.a"}, `ROUTES: …must name one bucket`},
		{[]string{"AUTH_JWT_SECRET=" + goodSecret, "ROUTES=POST /x=a.b"}, `ROUTES: …POST is for routes with a claim`},
	} {
		test.isTold(t)
	}
}
