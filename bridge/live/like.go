package live

import (
	"slices"

	"github.com/nats-io/nats.go"
)

// like returns a way to NATS like that of a connection: to the same servers, signing in the same way. The connection itself cannot be
// used: the bridge counts each connection in the very call that dials it, so that no message can come before the gap that a loss leaves,
// and reads what is stored on a second one. What the program wants to hear of its own connection, it does not hear of these.
func like(nc *nats.Conn) func(...nats.Option) (*nats.Conn, error) {
	return func(options ...nats.Option) (*nats.Conn, error) {
		dialed := nc.Opts
		dialed.Servers = slices.Clone(dialed.Servers)
		dialed.ClosedCB, dialed.ConnectedCB, dialed.ReconnectedCB = nil, nil, nil
		dialed.DisconnectedCB, dialed.DisconnectedErrCB, dialed.ReconnectErrCB = nil, nil, nil
		dialed.DiscoveredServersCB, dialed.LameDuckModeHandler, dialed.AsyncErrorCB = nil, nil, nil
		dialed.AllowReconnect = true
		dialed.NoEcho = false // what is posted has to come back
		for _, option := range options {
			if err := option(&dialed); err != nil {
				return nil, err
			}
		}
		return dialed.Connect()
	}
}
