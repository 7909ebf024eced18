//go:build !linux

package outlet

import (
	"net/http"

	"github.com/tailwater/tailwater/bridge"
)

// loop is for Linux. Everywhere else each connection has a goroutine that writes.
type loop struct{}

func startLoops(*Outlet) ([]*loop, error) { return nil, nil }

func (o *Outlet) takeOver(http.ResponseWriter, *http.Request) (fd int, ok bool) { return 0, false }

func (o *Outlet) hand(int, http.Header, bool, *bridge.Reader, bridge.Terms) {}

func (*loop) drain()   {}
func (*loop) cut()     {}
func (*loop) recheck() {}
func (*loop) close()   {}
