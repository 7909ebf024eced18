package outlet_test

import (
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/outlet"
)

// A client is late for as long as it has lacked something, and not since the message was stored: this may be years before the client came.
func TestLatenessIsNoLongerThanTheConnection(t *testing.T) {
	t.Parallel()
	overSockets(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		begun := time.Now()
		dial(t, server) // reads nothing more
		for range 20 {
			b.publish(large) // of 1970
		}
		var survey outlet.Survey
		bridgetest.Eventually(t, "the client is late", func() bool {
			survey = b.outlet.Survey(t.Context(), 1)
			return survey.Late > 0 && len(survey.Slowest) == 1 && survey.Slowest[0].Lag.Messages > 0
		})
		if slowest, most := survey.Slowest[0], time.Since(begun); survey.Late > most || slowest.Late > slowest.Age || slowest.Age > most {
			t.Errorf("%v after it was opened: late for %v, %+v", most, survey.Late, slowest)
		}
	})
}
