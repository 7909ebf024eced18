package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// othersWait bounds, in the long form, how long a message of somebody else takes while an attack lasts, from before it is posted until it was read.
// Attackers, bridge, NATS and race detector share the processors.
const othersWait = 2 * time.Second

// witness is somebody else: it posts a message, reads it, and begins again.
type witness struct {
	t       *testing.T
	client  *http.Client
	url     string
	stream  *bridgetest.Stream
	running sync.WaitGroup
	enough  chan struct{}

	slowest time.Duration
	count   int
}

// startWitness opens a connection with a client, and begins. It takes its time, so that it does not become an attack itself.
func startWitness(t *testing.T, client *http.Client, url string) *witness {
	t.Helper()
	response, err := client.Get(url)
	noError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	w := &witness{t: t, client: client, url: url, stream: bridgetest.NewStream(response.Body), enough: make(chan struct{})}
	if event, err := w.stream.Next(); err != nil || event.Type != "tailwater:open" {
		t.Fatalf("%+v, %v", event, err)
	}
	w.running.Go(func() {
		pace := time.NewTicker(5 * time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-w.enough:
				return
			case <-pace.C:
			}
			if err := w.round(); err != nil {
				t.Errorf("behind %d messages: %v", w.count, err)
				return
			}
		}
	})
	return w
}

func (w *witness) round() error {
	text, start := fmt.Sprint("message ", w.count), time.Now()
	response, err := w.client.Post(w.url, "text/plain", strings.NewReader(text))
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("POST is answered %s", response.Status)
	}
	event, err := w.stream.Next()
	if err != nil || event.Data != text {
		return fmt.Errorf("read %+v, %w", event, err)
	}
	w.slowest = max(w.slowest, time.Since(start))
	w.count++
	return nil
}

// stop ends it, and looks at what it has noted: messages came, and none was late.
func (w *witness) stop() {
	w.t.Helper()
	close(w.enough)
	w.running.Wait()
	if *soak && w.slowest > othersWait || w.count == 0 {
		w.t.Errorf("of %d messages the slowest took %v", w.count, w.slowest)
	}
	w.t.Logf("somebody else's %d messages took %v at most", w.count, w.slowest)
}
