package outlet_test

import (
	"io"
	"strings"
	"testing"
)

// The response of a run that has ended ends cleanly over every protocol, after the last event, so that clients built on fetch stop, and the
// connection can be used again.
func TestEndedRunEndsCleanly(t *testing.T) {
	t.Parallel()
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		for range 2 {
			response := get(t, server, "/?run", "")
			b.publish([]byte("word"))
			end := b.publish(nil)
			text, err := io.ReadAll(response.Body)
			if err != nil || !strings.Contains(string(text), "data: word\n") || !strings.HasSuffix(string(text), "event: tailwater:end\ndata: {}\nid: "+end.String()+"\n\n") {
				t.Errorf("got %q, %v", text, err)
			}
		}
		b.served.Wait()
		if open := b.outlet.Stats().Open; open != 0 {
			t.Errorf("%d connections are open", open)
		}
		if ended := b.outlet.Stats().Ended; ended["run"] != 2 {
			t.Errorf("connections ended: %v", ended)
		}
	})
}
