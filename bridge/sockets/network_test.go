package sockets

import (
	"net/netip"
	"testing"
)

// The log names a network as an operator writes it.
func TestNameOfANetwork(t *testing.T) {
	for _, want := range []string{"192.0.2.1/32", "2001:db8::/48", "2001:db8:0:1::/64"} {
		if got := keyOf(netip.MustParsePrefix(want), false).String(); got != want {
			t.Errorf("%s is called %s", want, got)
		}
	}
}
