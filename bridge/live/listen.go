package live

import (
	"net"
	"net/http"

	"github.com/tailwater/tailwater/bridge/sockets"
)

// Listen returns the listener that a server has to serve instead of the given one. With it, event loops write the bridge's connections,
// sockets count as connections from accept on, and clients that receive nothing are noticed. Set the server's handler before; it may be
// the program's own mux.
//
//	listener, err := net.Listen("tcp", ":8080")
//	...
//	err = server.Serve(events.Listen(server, listener))
//
// ServeTLS accepts the listener too; goroutines write its connections.
func (b *Bridge) Listen(server *http.Server, listener net.Listener) net.Listener {
	server.Handler = b.places.Handler(server.Handler)
	server.ConnContext = sockets.ConnContext
	return sockets.Listen(listener, b.places)
}

// Guard serves another handler, such as one of metrics, behind the bridge's own checks: allowed hosts and origins, no bodies, and panics
// are logged and counted.
func (b *Bridge) Guard(access Access, next http.Handler) http.Handler {
	return b.api.Guard(access.Gate(b.api.WithoutBodies(next)))
}
