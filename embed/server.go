package embed

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// startTimeout is how long the server may take to recover its streams and listen.
const startTimeout = 2 * time.Minute

// Server is a running nats-server.
type Server struct {
	nats   *server.Server
	config Config
	signIn []nats.Option
	token  string // that the bridge signs in with
	lock   *flock.Flock

	scratch string // a folder that goes with the server; "" for none

	log    *slog.Logger
	dir    string // that the ledger is in
	ledger ledger
	lives  map[life]time.Time // when those began that are not the stream's first
}

// Start runs a server and returns when it takes connections. The error names the setting to change.
func Start(config Config, log *slog.Logger) (*Server, error) {
	config.own = &server.User{Password: rand.Text()}
	options, signIn, err := config.resolve()
	if err != nil {
		return nil, err
	}
	server, err := startIn(config, options, signIn, log)
	if err == nil {
		server.takeStock()
	}
	return server, err
}

// startIn starts a server in its folder.
func startIn(config Config, options *server.Options, signIn []nats.Option, log *slog.Logger) (*Server, error) {
	lock, err := ownFolder(options.StoreDir)
	if err != nil {
		return nil, err
	}
	running, err := start(options, log)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Server{nats: running, config: config, signIn: signIn, token: options.Authorization, lock: lock, log: log, dir: options.StoreDir}, nil
}

func start(options *server.Options, log *slog.Logger) (*server.Server, error) {
	running, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	logger := &logger{log: log}
	running.SetLoggerV2(logger, options.Debug, options.Trace, options.TraceVerbose)
	running.Start()
	// Start has no error of its own: what keeps the server from running is logged as fatal, and elsewhere ends the process.
	switch {
	case logger.fatal() != "":
		err = fmt.Errorf("embedded NATS cannot start: %s; if the address is taken, set TAILWATER_EMBED_LISTEN to another, or to nothing for no listener", logger.fatal())
	case !running.ReadyForConnections(startTimeout):
		err = fmt.Errorf("embedded NATS was not ready after %v", startTimeout)
	default:
		logger.started()
		return running, nil
	}
	running.Shutdown()
	running.WaitForShutdown()
	return nil, err
}

// ownFolder makes JetStream's folder, which only this user may read, and claims it: two servers on one folder would
// damage it.
func ownFolder(dir string) (*flock.Flock, error) {
	// The folder that was named may be anybody's, such as a mounted volume; the one below it is nats-server's, and ours.
	store := filepath.Join(dir, server.JetStreamStoreDir)
	err := os.MkdirAll(store, 0o700)
	if err == nil {
		err = os.Chmod(store, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("make JetStream's folder: %w; set TAILWATER_EMBED_DIR to a folder that can be written", err)
	}
	lock := flock.New(lockIn(dir), flock.SetPermissions(0o600))
	claimed, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("claim JetStream's folder: %w", err)
	}
	if !claimed {
		return nil, errTaken(dir)
	}
	return lock, nil
}

// lockIn returns the path of the file that whoever uses a folder holds a lock on.
func lockIn(dir string) string { return filepath.Join(dir, "tailwater.lock") }

func errTaken(dir string) error {
	return fmt.Errorf("another process uses the folder %s; stop it, or set TAILWATER_EMBED_DIR to another folder", dir)
}

// URL gives what NATS clients connect to, or "" where the server does not listen.
func (s *Server) URL() string {
	if s.nats.Addr() == nil {
		return ""
	}
	return s.nats.ClientURL()
}

// Dial connects without a socket, whether or not the server listens.
func (s *Server) Dial(options ...nats.Option) (*nats.Conn, error) {
	own := append([]nats.Option{nats.InProcessServer(s.nats)}, s.signIn...)
	return nats.Connect("", append(own, options...)...)
}

// takeStock looks whether the files still hold what they did. What cannot be found out is no reason not to start.
func (s *Server) takeStock() {
	before, err := readLedger(s.dir)
	now, listErr := streamsOf(s.nats)
	if err = errors.Join(err, listErr); err != nil {
		s.log.Warn("it cannot be known whether the files of the streams are whole", "error", err)
	}
	if s.ledger = (ledger{Streams: before.Streams}); now != nil {
		s.ledger = before.audit(now, time.Now().UTC(), s.log)
	}
	s.lives = map[life]time.Time{}
	for key, stream := range s.ledger.Streams {
		if _, name, _ := strings.Cut(key, " "); !stream.Began.Equal(stream.Created) {
			s.lives[life{name, stream.Created.UnixNano()}] = stream.Began
		}
	}
	if err := s.ledger.write(s.dir); err != nil {
		s.log.Warn("damage to the files of the streams will not be noticed at the next start", "error", err)
	}
}

// note writes down what the streams hold. What comes until the server has stopped is more, not less.
func (s *Server) note() error {
	now, err := streamsOf(s.nats)
	if err != nil || now == nil {
		return err
	}
	last := ledger{Clean: true, Streams: map[string]record{}}
	for key, stream := range now {
		if before, known := s.ledger.Streams[key]; known && before.Created.Equal(stream.Created) {
			stream.Began = before.Began
		}
		last.Streams[key] = stream.record
	}
	return last.write(s.dir)
}

// Began returns when the present life of a stream began, which was made at a certain time: then, or when damage to its files
// was found last. The positions of one life mean nothing in another.
func (s *Server) Began(stream string, created time.Time) time.Time {
	if began, found := s.lives[life{stream, created.UnixNano()}]; found {
		return began
	}
	return created
}

// life is a stream as it was made, in whatever account.
type life struct {
	stream  string
	created int64
}

// Stop ends the server and waits until everything it held is written.
func (s *Server) Stop() error {
	if s.scratch == "" {
		if err := s.note(); err != nil {
			s.log.Warn("damage to the files of the streams will not be noticed at the next start", "error", err)
		}
	}
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
	if err := s.lock.Close(); err != nil {
		return fmt.Errorf("let go of JetStream's folder: %w", err)
	}
	if s.scratch != "" {
		return os.RemoveAll(s.scratch)
	}
	return nil
}
