package bridgetest

import "testing"

// Dir is where the server keeps its files.
func (s *NATSServer) Dir() string { return s.dir }

// FreePort returns a port of loopback on which nothing listens.
func FreePort(t testing.TB) int {
	t.Helper()
	return freePort(t)
}
