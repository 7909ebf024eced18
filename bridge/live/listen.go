package live

import (
	"net"
	"net/http"

	"github.com/tailwater/tailwater/bridge/outlet"
)

// Listen returns the listener that a server has to serve in place of the given one, so that event loops write the connections of the
// bridge, sockets count as connections from when they are accepted, and clients that take nothing are noticed. The server's handler is set
// before, and may be the program's own mux.
//
//	listener, err := net.Listen("tcp", ":8080")
//	...
//	err = server.Serve(events.Listen(server, listener))
//
// ServeTLS takes it as well; what TLS carries is written by goroutines.
func (b *Bridge) Listen(server *http.Server, listener net.Listener) net.Listener {
	server.Handler = b.places.Handler(server.Handler)
	server.ConnContext = outlet.ConnContext
	return outlet.Listen(listener, b.places)
}

// Guard serves another handler, such as one of metrics, behind the checks that the bridge itself has: who may ask by which name and from
// which page, no bodies, and panics that are logged and counted.
func (b *Bridge) Guard(access Access, next http.Handler) http.Handler {
	return b.api.Guard(access.Gate(b.api.WithoutBodies(next)))
}
