package node_test

import (
	"testing"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

// The log warns if a configured limit cannot be reached, or if the default leaves room for few connections.
func TestConnectionsThatAreHeldAreTold(t *testing.T) {
	for _, test := range []struct {
		asked, held int
		isSet, want bool
	}{
		{asked: 10_000, held: 10_000, isSet: true, want: false},
		{asked: 10_000, held: 9_999, isSet: true, want: true},
		{asked: 100_000, held: 20_000, isSet: false, want: false},
		{asked: 100_000, held: node.FewConnections - 1, isSet: false, want: true},
		{asked: 100, held: 100, isSet: false, want: false},
	} {
		if got := node.IsUnexpected(test.asked, test.held, test.isSet); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
