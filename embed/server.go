package embed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Server is a nats-server. If its store breaks, another server is started in its place: see watch.
type Server struct {
	running atomic.Pointer[instance] // nil during a restart
	config  Config
	signIn  []nats.Option
	lock    *flock.Flock

	log       *slog.Logger
	url       string
	dir       string // of the inventory
	inventory atomic.Pointer[inventory]

	changing sync.Mutex      // held while the server is restarted, reloaded or stopped
	options  *server.Options // to start with; guarded by changing

	reason    atomic.Pointer[string] // why no server is running
	advised   atomic.Pointer[advised]
	restarts  atomic.Uint64
	failed    chan error
	watching  sync.WaitGroup
	stopWatch context.CancelFunc
}

// Start runs a server and returns when it accepts connections. The error names the setting to change.
func Start(config Config, log *slog.Logger) (*Server, error) {
	config, options, err := config.prepare()
	if err != nil {
		return nil, err
	}
	signIn, err := config.admit(options)
	if err != nil {
		return nil, err
	}
	server, err := startIn(config, options, signIn, log)
	if err != nil {
		return nil, err
	}
	running := server.running.Load()
	before, err := readInventory(server.dir)
	server.takeStock(running, before, err)
	if server.IsGuarded() {
		if err := server.openOwn(); err != nil {
			return nil, errors.Join(err, server.Stop())
		}
	}
	var alive context.Context
	alive, server.stopWatch = context.WithCancel(context.Background())
	server.watching.Go(func() { server.watch(alive) })
	return server, nil
}

// prepare returns the options of the configuration, and the configuration for reloads: with the bridge's logins.
func (c Config) prepare() (Config, *server.Options, error) {
	c.own = newOwnUser()
	options, err := c.options()
	if err != nil || !c.guards(options) {
		return c, options, err
	}
	if err := checkFolder(options.StoreDir); err != nil {
		return c, nil, err
	}
	c.logins, err = readLogins(options.StoreDir)
	return c, options, err
}

// startIn starts a server in its folder.
func startIn(config Config, options *server.Options, signIn []nats.Option, log *slog.Logger) (*Server, error) {
	lock, err := ownFolder(options.StoreDir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: config, options: options, signIn: signIn, lock: lock, log: log, dir: options.StoreDir,
		failed: make(chan error, 1), stopWatch: func() {},
	}
	running, err := startWhole(options.Clone(), log)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if address, listens := running.Addr().(*net.TCPAddr); listens {
		s.url, options.Port = running.ClientURL(), address.Port // the same after a restart
	}
	s.inventory.Store(new(inventory))
	s.running.Store(running)
	return s, nil
}

// Stop stops the server and waits until everything it held is written.
func (s *Server) Stop() error {
	s.stopWatch()
	s.watching.Wait()
	s.changing.Lock()
	defer s.changing.Unlock()
	if running := s.running.Load(); running != nil {
		s.note(running)
		shutDown(running.Server)
	}
	if err := s.lock.Close(); err != nil {
		return fmt.Errorf("unlock JetStream's folder: %w", err)
	}
	return nil
}

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
