package bridgetest

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// NATSServer is a nats-server with JetStream in its own process. It keeps its port when it is restarted.
type NATSServer struct {
	Port   int
	dir    string
	args   []string
	run    func(args ...string) *exec.Cmd // nil for the server of go.mod
	cmd    *exec.Cmd
	output *bytes.Buffer // of the process; read it only after exited is closed
	exited chan struct{}
}

// StartNATSServer starts a server with further arguments and waits until it listens. The test's end kills it.
func StartNATSServer(t testing.TB, args ...string) *NATSServer {
	t.Helper()
	return startNATSServer(t, &NATSServer{args: args})
}

// StartNATSServerBy is StartNATSServer for a server that is started by a command of its own.
func StartNATSServerBy(t testing.TB, run func(args ...string) *exec.Cmd) *NATSServer {
	t.Helper()
	return startNATSServer(t, &NATSServer{run: run})
}

func startNATSServer(t testing.TB, s *NATSServer) *NATSServer {
	t.Helper()
	s.Port, s.dir = FreePort(t), t.TempDir()
	t.Cleanup(s.Kill)
	s.Start(t)
	return s
}

// URL returns the URL for clients.
func (s *NATSServer) URL() string { return "nats://127.0.0.1:" + strconv.Itoa(s.Port) }

// Start starts the server again after Kill, on the same port and files, and waits until it listens. If the server ends, Start tries again:
// the port may be in use for a moment.
func (s *NATSServer) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		s.launch(t)
		if s.listens(ctx) {
			return
		}
		s.Kill()
		if ctx.Err() != nil {
			t.Fatalf("nats-server does not listen: %s", s.output)
		}
	}
}

func (s *NATSServer) launch(t testing.TB) {
	t.Helper()
	binary, err := natsServerBinary()
	if err != nil {
		t.Fatal(err)
	}
	s.output, s.exited = new(bytes.Buffer), make(chan struct{})
	run := s.run
	if run == nil {
		run = func(args ...string) *exec.Cmd { return exec.Command(binary, args...) }
	}
	cmd := run(append([]string{"-a", "127.0.0.1", "-p", strconv.Itoa(s.Port), "-js", "-sd", s.dir}, s.args...)...)
	cmd.Stdout, cmd.Stderr = s.output, s.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.cmd = cmd
	go func(exited chan struct{}) {
		_ = cmd.Wait()
		close(exited)
	}(s.exited)
}

// listens waits until the server listens, and reports whether it does.
func (s *NATSServer) listens(ctx context.Context) bool {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(s.Port))
		if err == nil {
			_ = conn.Close()
			return true
		}
		select {
		case <-s.exited:
			return false
		case <-ctx.Done():
			return false
		case <-again.C:
		}
	}
}

// Kill ends the server like kill -9, and waits for its end. It may be called more than once.
func (s *NATSServer) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.exited
		s.cmd = nil
	}
}

// Dir is where the server keeps its files.
func (s *NATSServer) Dir() string { return s.dir }
