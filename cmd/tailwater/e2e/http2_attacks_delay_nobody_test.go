package e2e

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// mostBehind bounds what is in use behind attacks over HTTP/2 more than before, in bytes, however many they were.
const mostBehind = 16 << 20

// head returns the fields of a GET, with further ones.
func head(more ...[2]string) [][2]string {
	return append([][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/events/chat.room1"}}, more...)
}

// encode returns a block of header fields.
func encode(fields [][2]string) []byte {
	f := frames{}
	f.encoder = hpack.NewEncoder(&f.block)
	for _, field := range fields {
		_ = f.encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // into a buffer
	}
	return f.block.Bytes()
}

// bombs are heads that are too large, or become so when they are read.
var bombs = sync.OnceValue(func() map[string][]byte {
	return map[string][]byte{
		"one":     encode(head([2]string{"x-bomb", strings.Repeat("x", 1<<20)})),
		"many":    encode(head(slices.Repeat([][2]string{{"x-bomb", "x"}, {"y-bomb", "y"}}, 100_000)...)),
		"cookies": encode(head(slices.Repeat([][2]string{{"cookie", "a=b"}}, 100_000)...)),
		// Each byte behind the first field stands for all of it.
		"indexed": append(encode(head([2]string{"x-bomb", strings.Repeat("x", 4000)})), slices.Repeat([]byte{0x80 | 62}, 100_000)...),
	}
})

// floods are frames that cost their sender less than their receiver, one after another.
var floods = map[string]func(f *http2.Framer, i uint32) error{
	"resets": func(f *http2.Framer, i uint32) error { // CVE-2023-44487
		err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: encode(head()), EndHeaders: true, EndStream: true})
		return errors.Join(err, f.WriteRSTStream(2*i+1, http2.ErrCodeCancel))
	},
	"continuations": func(f *http2.Framer, i uint32) error { // VU#421644
		if i == 0 {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(head())})
		}
		return f.WriteContinuation(1, false, endless)
	},
	"pings":    func(f *http2.Framer, i uint32) error { return f.WritePing(false, [8]byte{byte(i)}) },
	"settings": func(f *http2.Framer, _ uint32) error { return f.WriteSettings() },
}

var endless = slices.Repeat([]byte("x"), 16<<10)

// Heads that are too large are refused, or end their connection, before they are read; what takes few bytes on the wire and many
// behind it is no way around that. Neither they nor floods of frames keep anybody from anything.
func TestAttacksOverHTTP2(t *testing.T) {
	const attackers = 5
	flood := length(500, 2000)
	a := newIssuer(t)
	s, _ := a.settings()
	s["LIMIT_PUBLISH_RATE"] = "0"
	n := startNode(t, s)
	other := startWitness(t, a.client(true), n.URL()+"/events/chat.room1")
	bombs := bombs()
	before := inUse()
	for name, block := range bombs {
		a.attack(t, n, attackers, func(f *frames) {
			ended := make(chan struct{})
			bomb := &stream{took: func() {}, ended: func() { close(ended) }}
			_ = f.sendBlock(bomb, block) // it may not be let finish
			<-ended
			if bomb.status != http.StatusRequestHeaderFieldsTooLarge && f.why() == nil {
				t.Errorf("the bomb %q is answered %+v", name, bomb)
			}
		})
	}
	for name, frame := range floods {
		a.attack(t, n, attackers, func(f *frames) {
			for i := range uint32(flood) {
				if err := f.raw(func(framer *http2.Framer) error { return frame(framer, i) }); err != nil {
					return // it is not let finish
				}
			}
			if name == "continuations" {
				t.Errorf("%d bytes of a head were read", flood*len(endless))
			}
		})
	}
	other.stop()
	eventually(t, "nobody but the witness is there", func() bool { return n.Live.Stats().Connections.Open == 1 })
	if grown := int64(inUse()) - int64(before); grown > mostBehind {
		t.Errorf("behind the attacks, %d bytes more are in use", grown)
	}
}

// A head that never ends is cut with its connection, however often a byte of it comes: whoever sends it cannot answer a ping.
func TestTrickledHeadersOfHTTP2End(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newIssuer(t)
		cert, key, _ := a.issue()
		log := newTestLog(t.Output())
		server := node.NewServer(http.NotFoundHandler(), log)
		files := configs.Certificate{Cert: a.write("cert.pem", cert), Key: a.write("key.pem", key)}
		shown, err := node.OpenCertificate(files, log)
		noError(t, err)
		node.Secure(server, shown, configs.Limit{Body: 256 << 10, WriteTimeout: 20 * time.Second})
		mine, theirs := net.Pipe()
		listener := bridgetest.NewPipes()
		var serving sync.WaitGroup
		serving.Go(func() { _ = node.Accept(server, listener) })
		listener.Conns <- theirs
		f := newFrames(t, tls.Client(mine, &tls.Config{RootCAs: a.roots, ServerName: "localhost", NextProtos: []string{"h2"}}))
		f.isMute = true
		f.begin(t)
		begin, again := time.Now(), time.NewTicker(time.Second)
		defer again.Stop()
		err = f.raw(func(framer *http2.Framer) error {
			return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(head())})
		})
		for ; err == nil && time.Since(begin) < time.Hour; <-again.C {
			err = f.raw(func(framer *http2.Framer) error { return framer.WriteContinuation(1, false, []byte("x")) })
		}
		if took := time.Since(begin); took < 10*time.Second || took > time.Minute {
			t.Errorf("the connection ended after %v: %v, %v", took, err, f.why())
		}
		_ = server.Close()
		serving.Wait()
	})
}

// attack does the same over several connections at once, which read, but do nothing for the server.
func (a *issuer) attack(t *testing.T, n *testNode, connections int, do func(*frames)) {
	t.Helper()
	var doing sync.WaitGroup
	for range connections {
		f := newFrames(t, a.dialTLS(t, n.Address()))
		f.isMute = true
		f.begin(t)
		doing.Go(func() {
			defer f.close()
			do(f)
		})
	}
	doing.Wait()
}
