package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// issuer is a certificate authority for this machine.
type issuer struct {
	t     *testing.T
	dir   string
	key   *ecdsa.PrivateKey
	roots *x509.CertPool
	made  int64
	root  *x509.Certificate
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	a := &issuer{t: t, dir: t.TempDir(), roots: x509.NewCertPool()}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.root = a.sign(template, template, a.key)
	a.roots.AddCert(a.root)
	return a
}

func (a *issuer) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	signed, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.key)
	noError(a.t, err)
	read, err := x509.ParseCertificate(signed)
	noError(a.t, err)
	return read
}

// issue gives a new certificate and its key in PEM. Each has a serial number of its own.
func (a *issuer) issue() (cert, key []byte, serial string) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	noError(a.t, err)
	a.made++
	number := big.NewInt(100 + a.made)
	leaf := a.sign(&x509.Certificate{
		SerialNumber: number, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost", "chat.example.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, a.root, private)
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	noError(a.t, err)
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bytes}), number.String()
}

// write puts a file in place as a whole, as certificate managers do.
func (a *issuer) write(name string, text []byte) (path string) {
	a.t.Helper()
	path = filepath.Join(a.dir, name)
	noError(a.t, os.WriteFile(path+".new", text, 0o600))
	noError(a.t, os.Rename(path+".new", path))
	return path
}

// settings give a node a new certificate.
func (a *issuer) settings() (s settings, serial string) {
	cert, key, serial := a.issue()
	return settings{"HTTP_TLS_CERT": a.write("cert.pem", cert), "HTTP_TLS_KEY": a.write("key.pem", key)}, serial
}

// client trusts it. It speaks HTTP/2 where it may.
func (a *issuer) client(http2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.roots}, Protocols: protocols}
	a.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// shown gives the serial number of the certificate that a node shows.
func (a *issuer) shown(n *testNode) string {
	a.t.Helper()
	conn, err := tls.Dial("tcp", n.Address().String(), &tls.Config{RootCAs: a.roots})
	noError(a.t, err)
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// read opens a connection to chat.room1 with a client, and reads its first event.
func (a *issuer) read(client *http.Client, n *testNode) *subscription {
	a.t.Helper()
	return a.readSubject(client, n, "chat.room1")
}

func (a *issuer) readSubject(client *http.Client, n *testNode, subject string) *subscription {
	a.t.Helper()
	response, err := client.Get(n.URL() + "/events/" + subject)
	noError(a.t, err)
	a.t.Cleanup(func() { response.Body.Close() })
	s := &subscription{bridgetest.NewStream(response.Body), a.t, response.Body}
	s.expect("tailwater:open", `{"subjects":["`+subject+`"],"heartbeat":15}`)
	return s
}

// A hundred streams, which is all that a browser opens, go over one connection. Each gets what is published on its own subject,
// nothing else, and its own end. Over HTTP/1 it is TLS as well.
func TestTLS(t *testing.T) {
	t.Parallel()
	a := newIssuer(t)
	s, _ := a.settings()
	n := startNode(t, s)
	if !strings.HasPrefix(n.URL(), "https://127.0.0.1:") {
		t.Errorf("it says to be at %s", n.URL())
	}
	if banner := n.Banner(); !strings.Contains(banner, "curl -k -N https://127.0.0.1:") {
		t.Errorf("the banner says\n%s", banner)
	}
	client := a.client(true)
	dials := 0
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++ // one after the other, as the requests are
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	var readers []*subscription
	for i := range 100 {
		readers = append(readers, a.readSubject(client, n, fmt.Sprint("chat.room", i)))
	}
	older := a.read(a.client(false), n)
	response, err := client.Post(n.URL()+"/events/chat.room1", "text/plain", strings.NewReader("hello"))
	noError(t, err)
	if status, body := answer(t, response); status != http.StatusCreated || response.ProtoMajor != 2 {
		t.Errorf("POST over %s: %d %s", response.Proto, status, body)
	}
	readers[1].expect("message", "hello")
	older.expect("message", "hello")
	conn := publisher(t, n.NATSURL())
	for round := range 3 {
		for i := range readers {
			noError(t, conn.Publish(fmt.Sprint("chat.room", i), fmt.Append(nil, "to ", i, " in round ", round)))
		}
	}
	for i, reader := range readers {
		for round := range 3 {
			reader.expect("message", fmt.Sprint("to ", i, " in round ", round))
		}
	}
	if dials != 1 {
		t.Errorf("a hundred streams needed %d connections", dials)
	}
	n.stop(t)
	for _, reader := range readers {
		reader.expect("tailwater:close", `{"reason":"drain"}`)
		if event, err := reader.Next(); !errors.Is(err, bridgetest.ErrBroken) {
			t.Errorf("behind the end there is %+v, %v", event, err)
		}
	}
}

// stallConn is a connection that reads nothing once it is stalled.
type stallConn struct {
	net.Conn
	stalled, closed chan struct{}
	close           sync.Once
}

func (c *stallConn) Read(data []byte) (int, error) {
	select {
	case <-c.stalled:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return c.Conn.Read(data)
	}
}

func (c *stallConn) Close() error {
	c.close.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A client of HTTP/2 that takes nothing any more is cut with all its streams, and with what they had still to be told.
func TestStalledClientOfHTTP2IsCut(t *testing.T) {
	t.Parallel()
	a := newIssuer(t)
	s, _ := a.settings()
	s["LIMIT_WRITE_TIMEOUT"], s["LIMIT_PUBLISH_RATE"] = "300ms", "0"
	n := startNode(t, s)
	client := a.client(true)
	stalled := &stallConn{stalled: make(chan struct{}), closed: make(chan struct{})}
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		var err error
		if stalled.Conn, err = new(net.Dialer).DialContext(ctx, network, address); err == nil {
			// Its kernel takes little: less than the streams have to say together.
			err = errors.Join(stalled.SetDeadline(time.Now().Add(patience)), stalled.Conn.(*net.TCPConn).SetReadBuffer(4<<10))
		}
		return stalled, err
	}
	for range 20 {
		a.read(client, n)
	}
	close(stalled.stalled)
	other := a.client(true)
	reader, large, next := a.read(other, n), strings.Repeat("x", 64<<10), 0
	eventually(t, "the streams of the stalled connection are cut", func() bool {
		response, err := other.Post(n.URL()+"/events/chat.room1", "text/plain", strings.NewReader(large))
		noError(t, err)
		response.Body.Close()
		next++
		reader.expect("message", large) // nobody else notices
		return n.Live.Stats().Connections.Open == 1
	})
	if _, err := io.Copy(io.Discard, stalled.Conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection ends with %v", err)
	}
	if ended := n.Live.Stats().Connections.Ended; ended["slow"] == 0 || ended["slow"]+ended["client"] != 20 {
		t.Errorf("behind %d messages they ended as %v", next, ended)
	}
	stalled.Close()
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	a := newIssuer(t)
	s, _ := a.settings()
	n := startNode(t, s)
	conn, err := tls.Dial("tcp", n.Address().String(), &tls.Config{RootCAs: a.roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.1 was accepted")
	}
	response, err := http.Get("http://" + n.Address().String() + "/events/chat.room1")
	noError(t, err)
	if status, body := answer(t, response); status != http.StatusBadRequest || !strings.Contains(body, "HTTPS") {
		t.Errorf("without TLS: %d %s", status, body)
	}
}

// A new certificate is shown to whoever comes next, and nobody who is there notices.
func TestCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	a := newIssuer(t)
	s, first := a.settings()
	var log bridgetest.Output
	n := startLogged(t, s, &log)
	reader := a.read(a.client(true), n)
	if got := a.shown(n); got != first {
		t.Fatalf("it shows %s instead of %s", got, first)
	}

	// Files that do not fit, or are none, change nothing.
	cert, key, second := a.issue()
	a.write("cert.pem", cert)
	eventually(t, "it is told that certificate and key do not fit", func() bool {
		return a.shown(n) == first && strings.Contains(log.String(), "private key does not match")
	})
	a.write("key.pem", []byte("no key"))
	eventually(t, "it is told that there is no key", func() bool {
		return a.shown(n) == first && strings.Contains(log.String(), "failed to find any PEM data")
	})
	noError(t, os.Remove(filepath.Join(a.dir, "key.pem")))
	eventually(t, "it is told that the key is gone", func() bool {
		return a.shown(n) == first && strings.Contains(log.String(), "no such file")
	})
	if lines := strings.Count(log.String(), "the old certificate stays"); lines != 3 {
		t.Errorf("three changes were told %d times", lines)
	}

	a.write("key.pem", key)
	eventually(t, "the new certificate is shown", func() bool { return a.shown(n) == second })
	post := a.client(true)
	response, err := post.Post(n.URL()+"/events/chat.room1", "text/plain", strings.NewReader("still here"))
	noError(t, err)
	response.Body.Close()
	reader.expect("message", "still here")
	if strings.Contains(log.String(), a.dir) {
		t.Error("the log names the path of a key")
	}
}

func TestCheckSaysHTTPS(t *testing.T) {
	t.Parallel()
	a := newIssuer(t)
	s, _ := a.settings()
	code, out, errs := call(t, with(openToAll(s), settings{"HTTP_TRUSTED_PROXIES": "10.0.0.0/8"}), "check")
	if code != 0 {
		t.Fatalf("%d: %s", code, errs)
	}
	wantAll(t, "it", out,
		"listening on 127.0.0.1:0, https\n", "certificate for localhost chat.example.com 127.0.0.1, valid until 20", "one caller may post at 20/s",
		"X-Forwarded-For is trusted from 10.0.0.0/8",
	)
}
