package outlet_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The response of a run that has ended ends cleanly over every protocol, after the last event, so that clients built on fetch stop, and the
// connection can be used again.
func TestEndedRunEndsCleanly(t *testing.T) {
	t.Parallel()
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/?run", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := server.Client().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
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
