package bridgetest

import "testing"

// Pause skips the test: this system cannot stop a process.
func (s *NATSServer) Pause(t testing.TB) { t.Skip("a process cannot be stopped here") }

// Resume does nothing, because Pause skips the test.
func (s *NATSServer) Resume(testing.TB) {}

// Reload skips the test: this system cannot signal a process.
func (s *NATSServer) Reload(t testing.TB) { t.Skip("a process cannot be signalled here") }
