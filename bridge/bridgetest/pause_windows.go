package bridgetest

import "testing"

// Pause skips the test: this system cannot stop a process.
func (s *NATSServer) Pause(t testing.TB) { t.Skip("a process cannot be stopped here") }

// Resume lets the server go on.
func (s *NATSServer) Resume(testing.TB) {}

// Reload lets the server read its configuration file again. It does so some time later.
func (s *NATSServer) Reload(t testing.TB) { t.Skip("a process cannot be signalled here") }
