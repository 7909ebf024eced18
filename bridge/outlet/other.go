//go:build !linux

package outlet

import (
	"net"
	"net/http"

	"github.com/tailwater/tailwater/bridge"
)

// loop is for Linux. On other systems each connection has a goroutine that writes.
type loop struct{}

func startLoops(*Outlet) ([]*loop, error) { return nil, nil }

// taken is a connection that was taken over; never used on this system.
type taken struct{}

func (o *Outlet) takeOver(http.ResponseWriter, *http.Request, *bridge.Reader) (_ taken, ok bool) {
	return taken{}, false
}

func (o *Outlet) hand(taken, http.Header, bool, *bridge.Reader, bridge.Lifetime) {}

func (*loop) drain()   {}
func (*loop) cut()     {}
func (*loop) recheck() {}
func (*loop) close()   {}

func (*loop) survey(int, chan<- *tally)                             {}
func (*loop) kick(func(bridge.Lifetime, []bridge.Subject) bool) int { return 0 }

// unsent is for Linux. On other systems a client whose network is gone is noticed when the socket's buffer is full.
func unsent(*net.TCPConn) int { return 0 }

// unread is for Linux. On other systems a request that nobody has read yet counts as none.
func unread(*net.TCPConn) int { return 0 }

// limitSegments is for Linux.
func limitSegments(net.Listener) {}
