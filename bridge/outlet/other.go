//go:build !linux

package outlet

import (
	"net/http"

	"github.com/tailwater/tailwater/bridge"
)

// loop is for Linux. On other systems each connection has a goroutine that writes.
type loop struct{}

func startLoops(*Outlet) ([]*loop, error) { return nil, nil }

func (o *Outlet) takeOver(http.ResponseWriter, *http.Request, *bridge.Reader, bridge.Lifetime) bool {
	return false
}

func (*loop) drain()   {}
func (*loop) cut()     {}
func (*loop) recheck() {}
func (*loop) close()   {}

func (*loop) survey(int, chan<- *tally)                             {}
func (*loop) kick(func(bridge.Lifetime, []bridge.Subject) bool) int { return 0 }
