package bridgetest

import (
	"syscall"
	"testing"
)

// Dir is where the server keeps its files.
func (s *NATSServer) Dir() string { return s.dir }

// Signal sends the server a signal, such as SIGSTOP.
func (s *NATSServer) Signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// FreePort gives a port of loopback that nothing listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	return freePort(t)
}
