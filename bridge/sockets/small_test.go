package sockets_test

import (
	"testing"

	"github.com/tailwater/tailwater/bridge/sockets"
)

// Each idle connection has a place, and there are tens of thousands of them.
func TestPlaceIsSmall(t *testing.T) {
	if sockets.SizeOfPlace > 32 {
		t.Errorf("a place takes %d bytes instead of 32: is a new field needed while a connection is idle?", sockets.SizeOfPlace)
	}
}
