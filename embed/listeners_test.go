package embed_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/embed"
)

const (
	password   = "\nauthorization { user: a, password: swordfish }"
	users      = "\nauthorization { users: [{user: a, password: swordfish}] }"
	nobody     = "\nauthorization { users: [{user: a, password: swordfish}, {user: b}] }"
	anyone     = users + "\nno_auth_user: a"
	inProcess  = "\nauthorization { users: [{user: a, password: swordfish, allowed_connection_types: [IN_PROCESS]}, {user: b, password: swordfish}] }\nno_auth_user: a"
	callout    = "\nauthorization { auth_callout { issuer: ABJHLOVMPA4CI6R5KLNGOB4GSLNIY7IOUPAJC4YFNDLQVIOBYQGUWVLA, auth_users: [x] } }"
	system     = "\naccounts { SYS { users: [{user: s, password: swordfish}] } }\nsystem_account: SYS"
	websocket  = "\nwebsocket { listen: \"0.0.0.0:-1\", no_tls: true }"
	mqtt       = "\nmqtt { listen: \"0.0.0.0:-1\" }"
	leafnodes  = "\nleafnodes { listen: \"0.0.0.0:-1\" }"
	cluster    = "\ncluster { name: c, listen: \"0.0.0.0:-1\" }"
	gateway    = "\ngateway { name: g, listen: \"0.0.0.0:-1\" }"
	monitoring = "\nhttp: \"0.0.0.0:-1\""
)

// A listener of any kind that other machines can reach requires a sign-in, or the server does not start.
func TestOpenListeners(t *testing.T) {
	certificate := writeCertificate(t)
	public, _ := key(t)
	tls := func(more string) string {
		return fmt.Sprintf("tls { cert_file: %q, key_file: %q, %s }", certificate.cert, certificate.key, more)
	}
	verify := fmt.Sprintf("verify: true, ca_file: %q", certificate.cert)
	for _, test := range []struct {
		name, file string
		refused    string // what the error names, separated by commas; "" where the server starts
	}{
		{"client", "\nlisten: \"0.0.0.0:-1\"", "client,authorization"},
		{"client, with a password", "\nlisten: \"0.0.0.0:-1\"" + password, ""},
		{"client, with a no_auth_user", "\nlisten: \"0.0.0.0:-1\"" + anyone, "client,no_auth_user"},
		{"client, with a no_auth_user of this process", "\nlisten: \"0.0.0.0:-1\"" + inProcess, ""},
		{"client, with a key of this process as no_auth_user", fmt.Sprintf("\nlisten: \"0.0.0.0:-1\"\nauthorization { users: [{nkey: %[1]s, allowed_connection_types: [IN_PROCESS]}] }\nno_auth_user: %[1]s", public), ""},
		{"client, with a user without a password", "\nlisten: \"0.0.0.0:-1\"" + nobody, "client,password"},
		{"client, with an auth callout and no users", "\nlisten: \"0.0.0.0:-1\"" + callout, "client,authorization"},
		{"client, with a user without a password that certificates cannot name there", "\nlisten: \"0.0.0.0:-1\"" + strings.Replace(nobody, "user: b", "user: b, allowed_connection_types: [STANDARD]", 1) +
			"\nwebsocket { listen: \"127.0.0.1:-1\", " + tls(verify+", verify_and_map: true") + " }", "client,password"},
		{"client, with a user without a password, and certificates for other users of leaf nodes", "\nlisten: \"0.0.0.0:-1\"" + nobody +
			"\nleafnodes { listen: \"127.0.0.1:-1\", " + tls(verify+", verify_and_map: true") + ", authorization { users: [{user: l}] } }", "client,password"},
		{"client, with a user whom certificates name", "\nlisten: \"0.0.0.0:-1\"" + nobody +
			"\nwebsocket { listen: \"127.0.0.1:-1\", " + tls(verify+", verify_and_map: true") + " }", ""},
		{"client, with a user whom certificates name at MQTT", "\nlisten: \"0.0.0.0:-1\"" + nobody + "\nmqtt { listen: \"127.0.0.1:-1\", " + tls(verify+", verify_and_map: true") + " }", ""},
		{"client, with a user whom certificates name at leaf nodes", "\nlisten: \"0.0.0.0:-1\"" + nobody + "\nleafnodes { listen: \"127.0.0.1:-1\", " + tls(verify+", verify_and_map: true") + " }", ""},
		{"websocket, with a user whom certificates name among clients", "\nlisten: \"127.0.0.1:-1\"" + websocket + nobody + "\n" + tls(verify+", verify_and_map: true"), ""},
		{"client, with users of the system account alone", "\nlisten: \"0.0.0.0:-1\"" + system, "client,authorization"},
		{"websocket, with users of the system account alone", websocket + system, "websocket,authorization"},
		{"leaf nodes, with users of the system account alone", leafnodes + system, "leafnodes,authorization"},
		{"client, with certificates", "\nlisten: \"0.0.0.0:-1\"\n" + tls(verify), ""},
		{"client, with certificates of anybody", "\nlisten: \"0.0.0.0:-1\"\n" + tls("verify: true"), "client"},
		{"client, with certificates for those who like", "\nlisten: \"0.0.0.0:-1\"\nallow_non_tls: true\n" + tls(verify), "client"},
		{"websocket", websocket, "websocket,authorization"},
		{"websocket of this machine", "\nwebsocket { listen: \"127.0.0.1:-1\", no_tls: true }", ""},
		{"websocket without a host", "\nwebsocket { port: -1, no_tls: true }", "websocket,0.0.0.0"},
		{"websocket, with the server's password", websocket + password, ""},
		{"websocket, with a password of its own", "\nwebsocket { listen: \"0.0.0.0:-1\", no_tls: true, authorization { user: w, password: swordfish } }", ""},
		{"websocket, with a token of its own", "\nwebsocket { listen: \"0.0.0.0:-1\", no_tls: true, authorization { token: swordfish } }", ""},
		{"websocket, with a user of its own without one", "\nwebsocket { listen: \"0.0.0.0:-1\", no_tls: true, authorization { user: w } }", "websocket,password"},
		{"websocket, with the server's no_auth_user", websocket + anyone, "websocket,no_auth_user"},
		{"websocket, with a no_auth_user of its own", "\nwebsocket { listen: \"0.0.0.0:-1\", no_tls: true, no_auth_user: a }" + users, "websocket,no_auth_user"},
		{"websocket, with the no_auth_user of MQTT", websocket + "\nmqtt { listen: \"127.0.0.1:-1\", no_auth_user: a }" + users, "websocket,no_auth_user"},
		{"websocket, with leaf nodes that anyone can be", websocket + "\nleafnodes { listen: \"127.0.0.1:-1\" }" + strings.ReplaceAll(inProcess, "IN_PROCESS", "LEAFNODE_WS"), "websocket,no_auth_user"},
		{"websocket, with certificates", "\nwebsocket { listen: \"0.0.0.0:-1\", " + tls(verify) + " }", ""},
		{"mqtt", mqtt, "mqtt,authorization"},
		{"mqtt, with the server's password", mqtt + password, ""},
		{"mqtt, with a password of its own", "\nmqtt { listen: \"0.0.0.0:-1\", authorization { user: w, password: swordfish } }", ""},
		{"mqtt, with a no_auth_user of its own", "\nmqtt { listen: \"0.0.0.0:-1\", no_auth_user: a }" + users, "mqtt,no_auth_user"},
		{"leaf nodes", leafnodes, "leafnodes,authorization"},
		{"leaf nodes, with the server's password", leafnodes + password, ""},
		{"leaf nodes, with a password of their own", "\nleafnodes { listen: \"0.0.0.0:-1\", authorization { user: l, password: swordfish } }", ""},
		{"leaf nodes, with users of their own", "\nleafnodes { listen: \"0.0.0.0:-1\", authorization { users: [{user: l, password: swordfish}] } }", ""},
		{"leaf nodes, with a user of their own without a password", "\nleafnodes { listen: \"0.0.0.0:-1\", authorization { user: l } }" + password, "leafnodes,password"},
		{"leaf nodes, with a no_auth_user", leafnodes + anyone, "leafnodes,no_auth_user"},
		{"leaf nodes, with certificates", "\nleafnodes { listen: \"0.0.0.0:-1\", " + tls(verify) + " }", ""},
		{"leaf nodes, with certificates of anybody", "\nleafnodes { listen: \"0.0.0.0:-1\", " + tls("verify: true") + " }", "leafnodes"},
		{"cluster", cluster, "cluster,authorization"},
		{"cluster, with the server's password", cluster + password, "cluster,authorization"},
		{"cluster, with a password", "\ncluster { name: c, listen: \"0.0.0.0:-1\", authorization { user: r, password: swordfish } }", ""},
		{"cluster, with certificates", "\ncluster { name: c, listen: \"0.0.0.0:-1\", " + tls(fmt.Sprintf("ca_file: %q", certificate.cert)) + " }", ""},
		{"gateway", gateway, "gateway,authorization"},
		{"gateway, with a password", "\ngateway { name: g, listen: \"0.0.0.0:-1\", authorization { user: r, password: swordfish } }", ""},
		{"monitoring", monitoring + password, "http monitoring,take it out"},
		{"monitoring of this machine", "\nhttp: \"127.0.0.1:-1\"", ""},
		{"monitoring where clients are", "\nlisten: \"0.0.0.0:-1\"\nhttp_port: -1" + password, "http monitoring,0.0.0.0"},
		{"monitoring over TLS", "\nhttps: \"0.0.0.0:-1\"\n" + tls(verify) + password, "https monitoring"},
		{"profiling where clients are", "\nlisten: \"0.0.0.0:-1\"\nprof_port: -1" + password, "profiling,0.0.0.0"},
		{"many at once", websocket + mqtt + monitoring, "websocket,mqtt,http monitoring"},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := withFile(t, test.file)
			switch {
			case test.refused != "":
				refused(t, config, append(strings.Split(test.refused, ","), "TAILWATER_EMBED_CONFIG", "127.0.0.1")...)
			case strings.HasPrefix(test.name, "cluster"), strings.HasPrefix(test.name, "gateway"): // others would have to be there
				if err := config.Check(); err != nil {
					t.Error(err)
				}
			default:
				stop(t, start(t, config))
			}
		})
	}
}

// Users of other accounts, also beside those of the system account, are a sign-in.
func TestSystemAccountBesideOthers(t *testing.T) {
	const one = "\naccounts { A { users: [{user: a, password: swordfish}] } }"
	const other = "\naccounts { A { users: [{user: a, password: swordfish}] }, SYS { users: [{user: s, password: swordfish}] } }\nsystem_account: SYS"
	public, _ := key(t)
	for _, file := range []string{one, other, users + system, fmt.Sprintf("\nauthorization { users: [{nkey: %s}] }", public) + system} {
		if _, err := withFile(t, "\nlisten: \"0.0.0.0:-1\""+file).Listeners(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// The users of an operator sign in, unless there is a default_sentinel for clients without credentials.
func TestUsersOfAnOperatorSignIn(t *testing.T) {
	pair, err := nkeys.CreateOperator()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.NewOperatorClaims(public).Encode(pair)
	if err != nil {
		t.Fatal(err)
	}
	for _, trusts := range []string{"operator: " + token, "trusted: " + public} {
		file := "listen: \"0.0.0.0:-1\"\n" + trusts
		if _, err := withFile(t, file).Listeners(); err != nil {
			t.Errorf("%.10s: %v", trusts, err)
		}
		if _, err := withFile(t, file+"\ndefault_sentinel: x").Listeners(); err == nil || !strings.Contains(err.Error(), "remove default_sentinel") {
			t.Errorf("%.10s, with a default_sentinel: %v", trusts, err)
		}
	}
}

// Without a client listener, the monitoring of a file listens on every interface.
func TestMonitoringWithoutClients(t *testing.T) {
	config := withFile(t, "http_port: -1")
	config.Listen = set("")
	refused(t, config, "http monitoring", "0.0.0.0")
}

// A changed file can open an existing listener to all: a reload refuses that, as a start does.
func TestReloadOpensNoDoor(t *testing.T) {
	config := withFile(t, websocket+users)
	server := start(t, config)
	write(t, &config, websocket+anyone)
	if err := server.Reload(); err == nil || !strings.Contains(err.Error(), "no_auth_user") {
		t.Errorf("the reload: %v", err)
	}
}

// What counts as a sign-in is one: clients without credentials are refused.
func TestSignInAtEveryListener(t *testing.T) {
	port, mqttPort := bridgetest.FreePort(t), bridgetest.FreePort(t)
	server := start(t, withFile(t, inProcess+fmt.Sprintf(`
		websocket { listen: "0.0.0.0:%d", no_tls: true }
		mqtt { listen: "0.0.0.0:%d" }`, port, mqttPort)))
	talk(t, own(t, server), own(t, server))
	wantRefused(t, server)
	if conn, err := nats.Connect(fmt.Sprintf("ws://127.0.0.1:%d", port), nats.MaxReconnects(0)); err == nil {
		conn.Close()
		t.Error("a client without credentials got in by WebSocket")
	}
	if answer := mqttConnect(t, mqttPort); answer == 0 {
		t.Error("a client without credentials got in by MQTT")
	}
}

// mqttConnect returns the answer to a CONNECT without a user (MQTT 3.1.1, 3.2.2.3): 0 means accepted.
func mqttConnect(t *testing.T, port int) byte {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(bufio.NewReader(conn), answer); err != nil {
		return 0xff // hung up
	}
	return answer[3]
}

func TestListeners(t *testing.T) {
	config := withFile(t, "listen: \"127.0.0.1:4333\"\nwebsocket { port: 8443, no_tls: true }"+password)
	got, err := config.Listeners()
	if err != nil {
		t.Fatal(err)
	}
	want := []embed.Listener{
		{Setting: "EMBED_CONFIG", Kind: "client", Address: "127.0.0.1:4333"},
		{Setting: "EMBED_CONFIG", Kind: "websocket", Address: "0.0.0.0:8443"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !got[0].IsLoopback() || got[1].IsLoopback() {
		t.Error("loopback and others are mistaken for each other")
	}
}

type certificate struct{ cert, key string }

// writeCertificate writes a certificate that is its own authority.
func writeCertificate(t *testing.T) certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := certificate{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{files.cert: {Type: "CERTIFICATE", Bytes: der}, files.key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
