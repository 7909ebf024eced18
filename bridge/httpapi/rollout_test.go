package httpapi_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/sockets"
)

// Two bridges behind a proxy are stopped and started in turn. The bridges decide when each client comes back, so that is measured on the time of a
// bubble, where no slow machine adds to it: at most a quarter of all returns are within any one second. TestProxiesOverARollOut does the
// same with processes.
func TestReturnsAreSpread(t *testing.T) {
	for _, window := range []time.Duration{8 * time.Second, 15 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			const clients, downtime = 300, time.Second
			begin := func() *fixture {
				c := config()
				c.Places = sockets.NewPlaces(sockets.Limits{All: clients})
				return newFixture(t, c)
			}
			p := &balancer{bridges: []*fixture{begin(), begin()}}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var reading sync.WaitGroup
			all := make([]rolledClient, clients)
			for i := range all {
				reading.Go(func() { all[i].run(ctx, p) })
			}
			synctest.Wait()
			for i, b := range p.bridges {
				b.api.Drain(time.Now().Add(window))
				b.outlet.Drain(ctx, window)
				b.api.Finish()
				p.set(i, nil)
				time.Sleep(downtime)
				p.set(i, begin())
			}
			time.Sleep(time.Minute) // by then the last ones are back
			for i, b := range p.bridges {
				if open := b.outlet.Stats().Open; open == 0 {
					t.Errorf("nobody came to bridge %d", i)
				}
			}
			if open := p.bridges[0].outlet.Stats().Open + p.bridges[1].outlet.Stats().Open; open != clients {
				t.Errorf("%d of %d are back", open, clients)
			}
			cancel()
			reading.Wait()
			var returns []time.Time
			for _, c := range all {
				returns = append(returns, c.opened[min(1, len(c.opened)):]...)
			}
			if most := busiestSecond(returns); len(returns) < clients || most > len(returns)/4 {
				t.Errorf("with a window of %v: %d returns, %d of them in the busiest second", window, len(returns), most)
			} else {
				t.Logf("with a window of %v: %d returns, %d of them in the busiest second", window, len(returns), most)
			}
		})
	}
}

// balancer is a proxy before two bridges, in turn. A bridge that is away gets no request.
type balancer struct {
	mu      sync.Mutex
	bridges []*fixture
	next    int
}

func (p *balancer) set(i int, b *fixture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bridges[i] = b
}

func (p *balancer) pick() *fixture {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		p.next++
		if b := p.bridges[p.next%len(p.bridges)]; b != nil {
			return b
		}
	}
}

// rolledClient reads like EventSource, and records when its connections were opened.
type rolledClient struct{ opened []time.Time }

func (c *rolledClient) run(ctx context.Context, p *balancer) {
	for ctx.Err() == nil {
		begun, w := time.Now(), &written{header: http.Header{}}
		func() {
			defer func() { _ = recover() }() // http.ErrAbortHandler: no event stream ends cleanly
			p.pick().api.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/events/chat.a", nil))
		}()
		if bytes.Contains(w.body.Bytes(), []byte("event: "+bridge.EventOpen+"\n")) {
			c.opened = append(c.opened, begun)
		}
		select {
		case <-time.After(w.retry()):
		case <-ctx.Done():
		}
	}
}

// written is an answer without a network, with what httptest.ResponseRecorder lacks for an event stream.
type written struct {
	header http.Header
	body   bytes.Buffer
}

// retry returns what the answer says last about when to come back.
func (w *written) retry() time.Duration {
	said := w.body.Bytes()
	said = said[bytes.LastIndex(said, []byte("retry: "))+len("retry: "):]
	ms, _ := strconv.Atoi(string(said[:max(0, bytes.IndexByte(said, '\n'))]))
	return time.Duration(ms) * time.Millisecond
}

func (w *written) Header() http.Header              { return w.header }
func (w *written) WriteHeader(int)                  {}
func (w *written) Write(data []byte) (int, error)   { return w.body.Write(data) }
func (w *written) FlushError() error                { return nil }
func (w *written) SetWriteDeadline(time.Time) error { return nil }

// busiestSecond returns how many of these moments are within a second, wherever that begins.
func busiestSecond(all []time.Time) (most int) {
	for _, begin := range all {
		count := 0
		for _, at := range all {
			if since := at.Sub(begin); since >= 0 && since < time.Second {
				count++
			}
		}
		most = max(most, count)
	}
	return most
}
