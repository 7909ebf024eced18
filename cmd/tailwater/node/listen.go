package node

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/tailwater/tailwater/bridge/httpapi"
	"github.com/tailwater/tailwater/bridge/live"
	"github.com/tailwater/tailwater/configs"
)

// listen opens the listener of a setting.
func listen(setting string, address configs.Address) (net.Listener, error) {
	listener, err := net.Listen("tcp", string(address))
	if err != nil {
		return nil, ErrSetting(setting, fmt.Errorf("%w; set it to another address", err))
	}
	return listener, nil
}

// NewServer returns a server with time limits for what a client sends. There is none for what it is sent: an event stream
// has no end, and its writer watches its client by itself.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what clients do wrong is no news
	}
}

// Secure turns on TLS, and HTTP/2 for clients that offer it.
func Secure(server *http.Server, shown *Certificate, limits configs.Limit) {
	window := int(min(max(int64(limits.Body)/4, minReceiveWindow), maxReceiveWindow))
	server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: shown.get}
	// A stream that is not read ends by its own deadline. These are for a connection that takes nothing at all, and so
	// blocks the frames that end its streams, and for one whose network is gone while its streams are silent.
	server.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams: maxStreams,
		WriteByteTimeout:     limits.WriteTimeout,
		SendPingTimeout:      live.Heartbeat,
		PingTimeout:          limits.WriteTimeout,

		MaxReadFrameSize:              maxFrame,
		MaxReceiveBufferPerConnection: window,
		MaxReceiveBufferPerStream:     window,
	}
}

// maxStreams is how many requests a connection of HTTP/2 may have open: a hundred event streams of a browser, and its posts beside them.
const maxStreams = 128

// What net/http holds for each connection of HTTP/2, in bytes: room for the largest frame, from the first on, and what handlers have not
// read yet of the receive window. With net/http's own values, a MiB each, a connection that sends nine bytes costs a MiB. The
// window bounds how fast a body arrives from afar: one window in each round trip. So it is a quarter of the largest body,
// within these bounds.
const (
	maxFrame         = 16 << 10 // the least that HTTP/2 allows
	minReceiveWindow = 64 << 10 // the same
	maxReceiveWindow = 1 << 20
)

// Accept serves what a listener accepts, over TLS where that is turned on.
func Accept(server *http.Server, listener net.Listener) error {
	if server.TLSConfig != nil {
		return server.ServeTLS(listener, "", "")
	}
	return server.Serve(listener)
}

// serve runs a server until it is shut down.
func (n *Node) serve(server *http.Server, listener net.Listener) {
	n.serving.Go(func() {
		err := Accept(server, listener)
		if errors.Is(err, http.ErrServerClosed) {
			return
		}
		select {
		case n.failed <- fmt.Errorf("accept on %s: %w", listener.Addr(), err):
		default: // one reason to stop is enough
		}
	})
}

func (n *Node) access() httpapi.Access {
	s := n.Settings.HTTP
	return httpapi.Access{
		Hosts: s.Hosts, LoopbackHosts: s.LoopbackHosts,
		Origins: s.Origins, LoopbackOrigins: s.LoopbackOrigins,
	}
}
