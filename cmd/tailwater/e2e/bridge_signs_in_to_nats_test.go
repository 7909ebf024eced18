package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// TestSignsIn connects to servers that ask for credentials in each way that there is a setting for.
func TestSignsIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed, public := userKey(t)
	authority := newAuthority(t, dir)
	operator := newOperator(t, dir)
	context := writeFile(t, dir, "context.json", "") // filled in when the port is known
	for _, test := range []struct {
		name, config, scheme string
		settings             settings
	}{
		{"password in the URL", `authorization { user: ada, password: "s3cret" }`, "nats://ada:s3cret@", nil},
		{"token in the URL", `authorization { token: "s3cret" }`, "nats://s3cret@", nil},
		{"nkey", `authorization { users = [ { nkey: ` + public + ` } ] }`, "nats://", settings{"NATS_NKEY": writeFile(t, dir, "seed", seed)}},
		{"credentials", operator.config, "nats://", settings{"NATS_CREDS": operator.creds}},
		{"TLS", authority.config, "tls://", settings{"NATS_TLS_CA": authority.ca, "NATS_TLS_CERT": authority.cert, "NATS_TLS_KEY": authority.key}},
		{"context", `authorization { user: ada, password: "s3cret" }`, "", settings{"NATS_CONTEXT": context}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := bridgetest.StartNATSServer(t, "-c", writeFile(t, t.TempDir(), "nats.conf", test.config))
			all := settings{"ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>"}
			for name, value := range test.settings {
				all[name] = value
			}
			if test.scheme != "" {
				all["NATS_URL"] = fmt.Sprintf("%s127.0.0.1:%d", test.scheme, server.Port)
			} else {
				writeFile(t, dir, "context.json", fmt.Sprintf(`{"url":"nats://127.0.0.1:%d","user":"ada","password":"s3cret"}`, server.Port))
			}
			n := startNode(t, all)
			reader, _ := subscribe(t, n.URL()+"/events/chat.room1", "")
			if status, body := post(t, n.URL()+"/events/chat.room1", "hello"); status != 202 {
				t.Fatalf("POST answers %d %s", status, body)
			}
			reader.expect("message", "hello")
			if banner := n.Banner(); strings.Contains(banner, "s3cret") {
				t.Errorf("the banner shows a secret:\n%s", banner)
			}
		})
	}
}

// TestRefusedSignIn reads what check says where NATS does not take the bridge: which server it was, without the password,
// and how to sign in.
func TestRefusedSignIn(t *testing.T) {
	t.Parallel()
	config := writeFile(t, t.TempDir(), "nats.conf", `authorization { user: ada, password: "s3cret" }`)
	server := bridgetest.StartNATSServer(t, "-c", config)
	address := fmt.Sprintf("127.0.0.1:%d", server.Port)
	free := fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(t))
	context := writeFile(t, t.TempDir(), "context.json", fmt.Sprintf(`{"url":"nats://%s","user":"ada","password":"hunter2"}`, address))
	for _, test := range []struct {
		name     string
		settings settings
		says     []string
	}{
		{"no user", settings{"NATS_URL": address}, []string{"nats://" + address, "nats://user:password@host"}},
		{"wrong password", settings{"NATS_URL": "nats://ada:hunter2@" + address}, []string{"nats://***@" + address, "nats://user:password@host"}},
		{"context", settings{"NATS_CONTEXT": context}, []string{context, "nats://" + address, "the user in the context"}},
		{"nobody there", settings{"NATS_URL": "nats://ada:hunter2@" + free}, []string{"nats://***@" + free}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, stderr := call(t, test.settings, "check")
			if code != exitFailure || strings.Contains(out+stderr, "hunter2") {
				t.Errorf("exit code %d, or a secret: %s%s", code, out, stderr)
			}
			wantAll(t, "it", stderr, test.says...)
			if isAway := test.name == "nobody there"; isAway && strings.Contains(stderr, "user:password") {
				t.Errorf("it speaks of signing in to nobody: %s", stderr)
			}
		})
	}
}

// TestEmbeddedConfiguration runs the embedded server by a nats-server configuration with users of its own.
func TestEmbeddedConfiguration(t *testing.T) {
	t.Parallel()
	config := writeFile(t, t.TempDir(), "nats.conf", `authorization { users = [ { user: ada, password: "s3cret" } ] }`)
	n := startNode(t, settings{"EMBED_CONFIG": config, "LIMIT_BODY": "2MiB"})
	reader, _ := subscribe(t, n.URL()+"/events/chat.room1", "")
	ada := publisher(t, strings.Replace(n.NATSURL(), "nats://", "nats://ada:s3cret@", 1))
	noError(t, ada.Publish("chat.room1", []byte("hello")))
	reader.expect("message", "hello")
	large := strings.Repeat("x", 2<<20)
	if status, body := post(t, n.URL()+"/events/chat.room1", large); status != http.StatusCreated {
		t.Fatalf("POST of as much as LIMIT_BODY allows answers %d %s", status, body)
	}
	reader.expect("message", large)
}

func writeFile(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	noError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func userKey(t *testing.T) (seed, public string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	noError(t, err)
	return text(t, pair.Seed), must(t, pair.PublicKey)
}

func must[T any](t *testing.T, make func() (T, error)) T {
	t.Helper()
	made, err := make()
	noError(t, err)
	return made
}

func text(t *testing.T, make func() ([]byte, error)) string {
	t.Helper()
	return string(must(t, make))
}

// operator is an operator with a system account, and an account with one user, as nsc would make them.
type operator struct{ config, creds string }

func newOperator(t *testing.T, dir string) operator {
	t.Helper()
	operatorKey, userKey := must(t, nkeys.CreateOperator), must(t, nkeys.CreateUser)
	accountKey, systemKey := must(t, nkeys.CreateAccount), must(t, nkeys.CreateAccount)
	operatorClaims := jwt.NewOperatorClaims(must(t, operatorKey.PublicKey))
	accountClaims := jwt.NewAccountClaims(must(t, accountKey.PublicKey))
	systemClaims := jwt.NewAccountClaims(must(t, systemKey.PublicKey))
	operatorClaims.SystemAccount = systemClaims.Subject
	userClaims := jwt.NewUserClaims(must(t, userKey.PublicKey))
	operatorJWT := must(t, func() (string, error) { return operatorClaims.Encode(operatorKey) })
	accountJWT := must(t, func() (string, error) { return accountClaims.Encode(operatorKey) })
	systemJWT := must(t, func() (string, error) { return systemClaims.Encode(operatorKey) })
	userJWT := must(t, func() (string, error) { return userClaims.Encode(accountKey) })
	creds := must(t, func() ([]byte, error) { return jwt.FormatUserConfig(userJWT, []byte(text(t, userKey.Seed))) })
	return operator{
		config: fmt.Sprintf("operator: %q\nresolver: MEMORY\nresolver_preload: { %s: %q, %s: %q }\n",
			operatorJWT, accountClaims.Subject, accountJWT, systemClaims.Subject, systemJWT),
		creds: writeFile(t, dir, "user.creds", string(creds)),
	}
}

// authority is a certificate authority, a certificate for both sides, and a server that asks for it.
type authority struct{ ca, cert, key, config string }

func newAuthority(t *testing.T, dir string) authority {
	t.Helper()
	newKey := func() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
	template := func(serial int64) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "tailwater test"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
	}
	caKey, leafKey := must(t, newKey), must(t, newKey)
	ca, leaf := template(1), template(2)
	ca.IsCA, ca.BasicConstraintsValid = true, true
	sign := func(certificate *x509.Certificate, key *ecdsa.PrivateKey) string {
		der := must(t, func() ([]byte, error) {
			return x509.CreateCertificate(rand.Reader, certificate, ca, &key.PublicKey, caKey)
		})
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	keyDER := must(t, func() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(leafKey) })
	a := authority{
		ca:   writeFile(t, dir, "ca.pem", sign(ca, caKey)),
		cert: writeFile(t, dir, "cert.pem", sign(leaf, leafKey)),
		key:  writeFile(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))),
	}
	a.config = fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }\n", a.cert, a.key, a.ca)
	return a
}
