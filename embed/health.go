package embed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

const (
	watchTick = time.Second
	// complainInterval is how often the log says that the store is broken.
	complainInterval = time.Minute
)

// ailment returns what keeps the server from storing, or "".
func (s *Server) ailment() string {
	if running := s.running.Load(); running != nil {
		return running.ailment()
	}
	return fmt.Sprintf("%v: %s", errNotRunning, *s.reason.Load())
}

// Problem returns what keeps the server from storing and what to do, or "" if the server is healthy.
func (s *Server) Problem() string {
	what := s.ailment()
	if known := s.advised.Load(); what != "" && known != nil && known.what == what {
		what += "; " + known.remedy
	}
	return what
}

// advised is the last problem, and what to do.
type advised struct{ what, remedy string }

// Restarts returns how often the server was restarted.
func (s *Server) Restarts() uint64 { return s.restarts.Load() }

// Failed receives an error if the store is broken and restarts fail or do not help.
func (s *Server) Failed() <-chan error { return s.failed }

// watch restarts the server when its store is broken and the cause is gone. It returns when ctx ends, or restarts do not help.
func (s *Server) watch(ctx context.Context) {
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	complaints := rate.Sometimes{Interval: complainInterval}
	var tries attempts
	for {
		select {
		case now := <-tick.C:
			if running := s.running.Load(); running != nil {
				running.measure()
			}
			what := s.ailment()
			if what == "" {
				tries.rest(now)
				continue
			}
			cause := s.causeOr(ctx)
			if ctx.Err() != nil {
				return
			}
			known := advised{what, s.advice(cause)}
			s.advised.Store(&known)
			complaints.Do(func() { s.log.Error(what, "remedy", known.remedy) })
			switch tries.next(now, cause) {
			case restart:
				s.startAnew(what)
				tries.last = time.Now() // what that took is no pause
			case giveUp:
				s.failed <- fmt.Errorf("%s; %d restarts have not helped: check the disk under %s, and start again", what, mostAttempts, s.dir)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// cause returns why a restart would not help now; nil if it may.
func (s *Server) cause() error {
	if err := probe(s.dir); err != nil {
		return err
	}
	if running := s.running.Load(); running != nil {
		return running.lacks(s.dir)
	}
	return nil
}

// causeOr is cause, and does not wait for a disk that hangs when ctx ends.
func (s *Server) causeOr(ctx context.Context) error {
	found := make(chan error, 1)
	go func() { found <- s.cause() }()
	select {
	case cause := <-found:
		return cause
	case <-ctx.Done():
		return ctx.Err()
	}
}

// advice returns what to do if files cannot be written.
func (s *Server) advice(cause error) string {
	var remedy string
	switch {
	case cause == nil:
		return "files can be written again, and the server is being restarted"
	case errors.Is(cause, errLimit):
		return "remove messages, or raise max_file_store in the file of TAILWATER_EMBED_CONFIG and reload it (SIGHUP); stored messages can be read"
	case errors.Is(cause, syscall.ENOSPC), errors.Is(cause, syscall.EDQUOT):
		remedy = "free disk space under " + s.dir
	case errors.Is(cause, syscall.EMFILE), errors.Is(cause, syscall.ENFILE):
		remedy = "raise the limit of open files (ulimit -n, LimitNOFILE= of systemd), or lower TAILWATER_LIMIT_CONNECTIONS"
	default:
		remedy = "make the folder " + s.dir + " writable"
	}
	return fmt.Sprintf("%s: %v. The server is restarted when the cause is gone; until then stored messages can be read", remedy, cause)
}

// What probe must find free: the descriptors and bytes that a server needs to recover its streams and store a little.
const (
	probeFiles = 32
	probeBytes = 64 << 10 // each

	probeFolder = "tailwater-probe"
)

// probe returns an error if no files can be opened and written beside JetStream's folder.
func probe(dir string) (err error) {
	made := filepath.Join(dir, probeFolder)
	if err := errors.Join(os.RemoveAll(made), os.Mkdir(made, 0o700)); err != nil { // a killed process may have left it
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(made)) }()
	content := make([]byte, probeBytes)
	for n := range probeFiles {
		file, err := os.Create(filepath.Join(made, fmt.Sprint(n)))
		if err != nil {
			return err
		}
		defer file.Close()
		if _, err := file.Write(content); err != nil {
			return err
		}
	}
	return nil
}
