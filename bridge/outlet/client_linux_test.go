package outlet

import (
	"testing"

	"github.com/tailwater/tailwater/bridge/sockets"
)

// The log names a client whose address the kernel has forgotten.
func TestForgottenClientHasAName(t *testing.T) {
	s := &socket{Taken: sockets.Taken{FD: -1}}
	if got := s.client(); got != "unknown" {
		t.Errorf("the log says %q", got)
	}
}
