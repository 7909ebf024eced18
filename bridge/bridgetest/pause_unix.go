//go:build !windows

package bridgetest

import (
	"syscall"
	"testing"
)

// Pause stops the server where it is, until Resume.
func (s *NATSServer) Pause(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Resume lets it go on.
func (s *NATSServer) Resume(t testing.TB) { s.signal(t, syscall.SIGCONT) }

// Reload lets the server read its configuration file again. It does so some time later.
func (s *NATSServer) Reload(t testing.TB) { s.signal(t, syscall.SIGHUP) }

func (s *NATSServer) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}
