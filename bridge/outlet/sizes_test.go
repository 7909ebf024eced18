package outlet_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Frames of all sizes arrive whole and in order, however a client reads: a partial write is continued where it stopped.
func TestFramesArriveWholeInPieces(t *testing.T) {
	all := []int{1, 100, 4 << 10, 64 << 10, 64<<10 + 1, 1 << 20, 1}
	for name, takes := range map[string]func(io.Reader) io.Reader{
		"at once":      func(r io.Reader) io.Reader { return r },
		"byte by byte": iotest.OneByteReader,
		"in pieces":    func(r io.Reader) io.Reader { return pieces{r} },
	} {
		sizes := all
		if name == "byte by byte" {
			sizes = all[:4] // a read for each byte: more of them show nothing more
		}
		t.Run(name, func(t *testing.T) {
			overSockets(t, func(t *testing.T, p protocol) {
				b := newFixture(t, p.on(patient), plenty)
				server := b.serve(t, p)
				stream, first, err := begin(takes(send(t, server, smallWindow)))
				if err != nil || first.Type != bridge.EventOpen {
					t.Fatalf("it begins with %+v, %v", first, err)
				}
				var publishing sync.WaitGroup
				publishing.Go(func() {
					for i := range len(sizes) {
						b.publish(bytes.Repeat([]byte{byte('a' + i)}, sizes[i]))
					}
				})
				for i := range len(sizes) {
					event, err := stream.Next()
					if err != nil {
						t.Fatal(err)
					}
					if want := strings.Repeat(string(rune('a'+i)), sizes[i]); event.Data != want {
						t.Fatalf("message %d is %.20q…, %d bytes, instead of %d", i, event.Data, len(event.Data), len(want))
					}
				}
				publishing.Wait()
			})
		})
	}
}

// pieces reads some of what is there.
type pieces struct{ io.Reader }

func (p pieces) Read(data []byte) (int, error) {
	return p.Reader.Read(data[:min(len(data), 1+rand.IntN(3000))])
}

// Descriptors are reused as soon as a connection is closed. No connection ever gets another's bytes, and no descriptor is left over.
func TestConnectionsComeAndGo(t *testing.T) {
	const clients = 16
	overSockets(t, func(t *testing.T, p protocol) {
		opens := 800
		if p.loops == 0 {
			opens = 320 // its descriptors are Go's business
		}
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		dial(t, server) // keeps the feed
		before := open(t)
		var coming, publishing sync.WaitGroup
		enough := make(chan struct{})
		publishing.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-enough:
					return
				default:
					b.publish(fmt.Append(nil, i))
				}
				if i%10 == 9 {
					b.publish(large)
				}
			}
		})
		for range clients {
			coming.Go(func() {
				for i := range opens / clients {
					if err := visit(server.Listener.Addr().String(), i); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		coming.Wait()
		close(enough)
		publishing.Wait()
		bridgetest.Eventually(t, "all but one have ended", func() bool { return b.outlet.Stats().Open == 1 })
		bridgetest.Eventually(t, "no descriptor is left", func() bool { return open(t) <= before })
	})
}

// visit opens a connection, and ends it: at once, in the middle, or behind its first event; by a FIN or a reset.
func visit(address string, i int) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"); err != nil {
		return err
	}
	if i%2 == 0 {
		if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
			return err
		}
	}
	if i%4 < 2 {
		return nil
	}
	_, first, err := begin(conn)
	if err == nil && first.Type != bridge.EventOpen {
		err = fmt.Errorf("it begins with %+v", first)
	}
	return err
}

// begin reads the head of a response and the first event.
func begin(r io.Reader) (stream *bridgetest.Stream, first bridgetest.Event, err error) {
	response, err := http.ReadResponse(bufio.NewReader(r), nil)
	if err != nil {
		return nil, first, err
	}
	stream = bridgetest.NewStream(response.Body)
	first, err = stream.Next()
	return stream, first, err
}
