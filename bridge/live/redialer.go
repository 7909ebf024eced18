package live

import (
	"slices"

	"github.com/nats-io/nats.go"
)

// redialer returns a function that connects to the same servers as nc, with the same sign-in. nc itself cannot be used: the bridge counts
// each connection in the call that dials it, so that no message arrives before the gap that a loss leaves. It also reads stored messages
// on a second connection. The program's callbacks on nc are not called for these connections.
func redialer(nc *nats.Conn) func(...nats.Option) (*nats.Conn, error) {
	return func(options ...nats.Option) (*nats.Conn, error) {
		dialed := nc.Opts
		dialed.Servers = slices.Clone(dialed.Servers)
		dialed.ClosedCB, dialed.ConnectedCB, dialed.ReconnectedCB = nil, nil, nil
		dialed.DisconnectedCB, dialed.DisconnectedErrCB, dialed.ReconnectErrCB = nil, nil, nil
		dialed.DiscoveredServersCB, dialed.LameDuckModeHandler, dialed.AsyncErrorCB = nil, nil, nil
		dialed.AllowReconnect = true
		dialed.NoEcho = false // posted messages have to come back
		for _, option := range options {
			if err := option(&dialed); err != nil {
				return nil, err
			}
		}
		return dialed.Connect()
	}
}
