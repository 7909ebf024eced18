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

func (s *NATSServer) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}
