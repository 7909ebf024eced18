package embed

import (
	"net"

	"github.com/nats-io/nats.go"
)

// URL returns the address for NATS clients, or "" if the server does not listen.
func (s *Server) URL() string { return s.url }

// Dial connects without a socket, whether or not the server listens. After a restart, the connection reconnects to the new server.
func (s *Server) Dial(options ...nats.Option) (*nats.Conn, error) {
	return s.dial(s.signIn, options)
}

func (s *Server) dial(signIn, options []nats.Option) (*nats.Conn, error) {
	own := append([]nats.Option{nats.InProcessServer(s)}, signIn...)
	return nats.Connect("", append(own, options...)...)
}

// InProcessConn implements nats.InProcessConnProvider.
func (s *Server) InProcessConn() (net.Conn, error) {
	running := s.running.Load()
	if running == nil {
		return nil, errNotRunning
	}
	return running.InProcessConn()
}
