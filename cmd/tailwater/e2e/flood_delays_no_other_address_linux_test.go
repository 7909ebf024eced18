package e2e

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

const (
	// mostBeside bounds what is in use beside a flood more than before, in bytes.
	mostBeside = 64 << 20
	// floodTime is how long a flood goes on: long enough to take hundreds of MiB where nothing bounds it.
	floodTime = 3 * time.Second
)

// While one address floods the bridge with frames over many connections of HTTP/2, and opens those anew that are cut, another client's
// messages take less than two seconds, and the process holds little for the flood. It measures time, so it needs the processors for itself.
func TestChaosFloodFromAnotherAddress(t *testing.T) {
	onlySoak(t)
	const connections = 190
	a := newIssuer(t)
	s, _ := a.settings()
	s["LIMIT_PUBLISH_RATE"] = "0"
	s["LIMIT_CONNECTIONS_PER_IP"] = "200"
	n := startNode(t, s)
	for _, name := range []string{"resets", "pings"} {
		t.Run(name, func(t *testing.T) {
			flood := record(floods[name])
			other := startWitness(t, a.client(true), n.URL()+"/events/chat.room1")
			before, until, most := inUse(), time.Now().Add(floodTime), uint64(0)
			var flooding sync.WaitGroup
			for range connections {
				flooding.Go(func() {
					for time.Now().Before(until) {
						a.pour(n.Address(), flood, until)
					}
				})
			}
			look := time.NewTicker(50 * time.Millisecond)
			defer look.Stop()
			for time.Now().Before(until) {
				<-look.C
				var stats runtime.MemStats
				runtime.ReadMemStats(&stats)
				most = max(most, stats.HeapAlloc+stats.StackInuse)
			}
			flooding.Wait()
			other.stop()
			if grown := int64(most) - int64(before); grown > mostBeside {
				t.Errorf("beside the flood, %d MiB more were in use", grown>>20)
			}
		})
	}
}

// record returns what a connection sends of a flood.
func record(frame func(*http2.Framer, uint32) error) []byte {
	var all bytes.Buffer
	all.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&all, nil)
	_ = framer.WriteSettings() // into a buffer, as what follows
	for i := range uint32(3000) {
		_ = frame(framer, i)
	}
	return all.Bytes()
}

// pour connects from an address of its own, and sends until it is cut, or the time has come.
func (a *issuer) pour(address net.Addr, flood []byte, until time.Time) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Deadline: until}
	conn, err := tls.DialWithDialer(&dialer, "tcp", address.String(), &tls.Config{RootCAs: a.roots, ServerName: "localhost", NextProtos: []string{"h2"}})
	if err != nil {
		return // there is no place for it now
	}
	defer conn.Close()
	_ = conn.SetDeadline(until)
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(io.Discard, conn) })
	_, _ = conn.Write(flood) // it may be cut
	_ = conn.NetConn().(*net.TCPConn).SetLinger(0)
	conn.NetConn().Close()
	reading.Wait()
}
