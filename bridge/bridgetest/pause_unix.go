//go:build !windows

package bridgetest

import (
	"syscall"
	"testing"
)

// Pause stops the process until Resume.
func (s *NATSServer) Pause(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Resume continues the process.
func (s *NATSServer) Resume(t testing.TB) { s.signal(t, syscall.SIGCONT) }

// Reload makes the server read its configuration file again, some time later.
func (s *NATSServer) Reload(t testing.TB) { s.signal(t, syscall.SIGHUP) }

// LameDuck makes the server ask its clients to leave, and returns when it has ended. The configuration decides how long that takes.
func (s *NATSServer) LameDuck(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGUSR2)
	<-s.exited
	s.cmd = nil
}

func (s *NATSServer) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}
