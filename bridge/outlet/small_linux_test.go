package outlet_test

import (
	"testing"

	"github.com/tailwater/tailwater/bridge/outlet"
)

// What an idle connection takes is for the most part its socket and its place, and there are tens of thousands of them.
func TestIdleConnectionIsSmall(t *testing.T) {
	if outlet.SizeOfSocket > 224 || outlet.SizeOfPlace > 48 {
		t.Errorf("a socket takes %d bytes and its place %d; these have been 224 and 48: is a new field needed while a connection is idle?", outlet.SizeOfSocket, outlet.SizeOfPlace)
	}
}
