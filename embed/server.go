package embed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// startTimeout is how long the server may take to recover its streams and listen.
const startTimeout = 2 * time.Minute

// Server is a nats-server. If its store breaks, another server is started in its place: see watch.
type Server struct {
	running atomic.Pointer[instance] // nil during a restart
	config  Config
	signIn  []nats.Option
	token   string // with which the bridge signs in
	lock    *flock.Flock

	scratch string // a folder that Stop removes; "" for none

	log    *slog.Logger
	url    string
	dir    string // of the ledger
	ledger ledger // guarded by changing
	lives  atomic.Pointer[map[life]time.Time]

	changing sync.Mutex      // held while the server is restarted, reloaded or stopped
	options  *server.Options // to start with; guarded by changing

	reason    atomic.Pointer[string] // why no server is running
	advised   atomic.Pointer[advised]
	restarts  atomic.Uint64
	failed    chan error
	watching  sync.WaitGroup
	stopWatch context.CancelFunc
}

// instance is one of the servers that a Server starts one after another.
type instance struct {
	*server.Server
	log  *logger
	room room
}

// Start runs a server and returns when it accepts connections. The error names the setting to change.
func Start(config Config, log *slog.Logger) (*Server, error) {
	config, options, err := config.prepare()
	if err != nil {
		return nil, err
	}
	options, signIn, err := config.admit(options)
	if err != nil {
		return nil, err
	}
	server, err := startIn(config, options, signIn, log)
	if err != nil {
		return nil, err
	}
	running := server.running.Load()
	before, err := readLedger(server.dir)
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

// prepare returns the options of the configuration, and the configuration for reloads: with the bridge's logins, and without a file that was
// read already.
func (c Config) prepare() (Config, *server.Options, error) {
	c.own = &server.User{Password: rand.Text()}
	options, err := c.options()
	c.Parsed = nil
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
		config: config, options: options, signIn: signIn, token: options.Authorization, lock: lock, log: log, dir: options.StoreDir,
		failed: make(chan error, 1), stopWatch: func() {},
	}
	running, err := startWhole(options.Clone(), log)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if address, listens := running.Addr().(*net.TCPAddr); listens {
		s.url, options.Port = running.ClientURL(), address.Port // the same after a restart
	}
	s.lives.Store(new(map[life]time.Time))
	s.running.Store(running)
	return s, nil
}

func start(options *server.Options, log *slog.Logger) (*instance, error) {
	running, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	logger := &logger{log: log}
	running.SetLoggerV2(logger, options.Debug, options.Trace, options.TraceVerbose)
	running.Start()
	// Start has no error of its own: the reason why the server cannot run is logged as fatal, which in nats-server itself ends the process.
	switch {
	case logger.fatal() != "":
		err = fmt.Errorf("embedded NATS cannot start: %s; if the address is in use, set TAILWATER_EMBED_LISTEN to another, or to nothing for no listener", logger.fatal())
	case !running.ReadyForConnections(startTimeout):
		err = fmt.Errorf("embedded NATS was not ready after %v", startTimeout)
	default:
		logger.started()
		started := &instance{Server: running, log: logger, room: room{isSet: options.JetStreamMaxStore >= 0}} // nats-server has made it -1 if the file does not set it
		started.room.measure(running)
		return started, nil
	}
	shutDown(running)
	return nil, err
}

// shutDown stops a server and returns when everything that it held is written.
func shutDown(running *server.Server) {
	running.Shutdown()
	running.WaitForShutdown()
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

// takeStock checks whether the files still hold what they held before. err says why before is not known. A failed check does not
// prevent the start.
func (s *Server) takeStock(running *instance, before ledger, err error) {
	now, listErr := streamsOf(running.Server)
	if err = errors.Join(err, listErr); err != nil {
		s.log.Warn("the files of the streams could not be checked for damage", "error", err)
	}
	if _, absent := running.LookupAccount(ownAccount); absent != nil { // its files wait until tokens are checked again
		maps.DeleteFunc(before.Streams, func(key string, _ record) bool { return strings.HasPrefix(key, ownAccount+" ") })
	}
	if s.ledger = (ledger{Streams: before.Streams}); now != nil {
		s.ledger = before.audit(now, time.Now().UTC(), s.log)
	}
	lives := map[life]time.Time{}
	for key, stream := range s.ledger.Streams {
		if _, name, _ := strings.Cut(key, " "); !stream.Began.Equal(stream.Created) {
			lives[life{name, stream.Created.UnixNano()}] = stream.Began
		}
	}
	s.lives.Store(&lives)
	if err := s.ledger.write(s.dir); err != nil {
		s.log.Warn("damage to the files of streams will not be noticed at the next start", "error", err)
	}
}

// note records what the streams hold. Messages stored until the server has stopped only add to that. If the store is broken, its
// files do not hold all that was done.
func (s *Server) note(running *instance) {
	now, err := streamsOf(running.Server)
	if err == nil && now != nil {
		s.ledger = s.ledger.renewed(now, running.ailment() == "")
		err = s.ledger.write(s.dir)
	}
	if err != nil {
		s.log.Warn("damage to the files of streams will not be noticed at the next start", "error", err)
	}
}

// Began returns when the present life of the stream created at that time began: at its creation, or when damage to its files was
// last found. Positions of one life mean nothing in another.
func (s *Server) Began(stream string, created time.Time) time.Time {
	if began, found := (*s.lives.Load())[life{stream, created.UnixNano()}]; found {
		return began
	}
	return created
}

// life identifies a stream by name and creation time, in any account.
type life struct {
	stream  string
	created int64
}

// Stop stops the server and waits until everything it held is written.
func (s *Server) Stop() error {
	s.stopWatch()
	s.watching.Wait()
	s.changing.Lock()
	defer s.changing.Unlock()
	if running := s.running.Load(); running != nil {
		if s.scratch == "" {
			s.note(running)
		}
		shutDown(running.Server)
	}
	if err := s.lock.Close(); err != nil {
		return fmt.Errorf("unlock JetStream's folder: %w", err)
	}
	if s.scratch != "" {
		return os.RemoveAll(s.scratch)
	}
	return nil
}
