package bridgetest

import "testing"

// Dir is where the server keeps its files.
func (s *NATSServer) Dir() string { return s.dir }

// FreePort gives a port of loopback that nothing listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	return freePort(t)
}
