package outlet_test

import (
	"testing"

	"github.com/tailwater/tailwater/bridge/outlet"
)

// What an idle connection takes is for the most part its socket, and there are tens of thousands of them.
func TestIdleConnectionIsSmall(t *testing.T) {
	if outlet.SizeOfSocket > 192 {
		t.Errorf("a socket takes %d bytes instead of 192: is a new field needed while a connection is idle?", outlet.SizeOfSocket)
	}
}
