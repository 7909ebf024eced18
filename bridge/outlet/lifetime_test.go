package outlet_test

// How connections end by their lifetime.

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

const closedByAuth = `{"reason":"auth"}`

// closes expects the event that says why the connection ends, and its end.
func (c *client) closes(t *testing.T) {
	t.Helper()
	if event := c.next(t); event.Type != bridge.EventClose || event.Data != closedByAuth {
		t.Fatalf("%+v", event)
	}
	c.end(t)
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		b.lifetime.Store(&bridge.Lifetime{Until: time.Now().Add(2 * time.Second)})
		c, _ := connect(t, server, "")
		b.publish([]byte("before"))
		if event := c.next(t); event.Data != "before" {
			t.Fatalf("%+v", event)
		}
		c.closes(t)
		if early := time.Until(b.lifetime.Load().Until); early > 0 {
			t.Errorf("it ended %v before", early)
		}
		b.ended(t, map[string]uint64{"auth": 1})
	})
}

// A busy connection ends too, and so does one whose token has already expired.
func TestExpiryOfABusyConnection(t *testing.T) {
	t.Parallel()
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		for _, left := range []time.Duration{200 * time.Millisecond, -time.Hour} {
			b.lifetime.Store(&bridge.Lifetime{Until: time.Now().Add(left)})
			c, _ := connect(t, server, "")
			for {
				b.publish([]byte(strings.Repeat("x", 1000)))
				event := c.next(t)
				if event.Type == bridge.EventClose {
					if event.Data != closedByAuth {
						t.Fatalf("%+v", event)
					}
					break
				}
			}
			c.end(t)
		}
		b.ended(t, map[string]uint64{"auth": 2})
	})
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		var mine, others atomic.Bool
		b.lifetime.Store(&bridge.Lifetime{Revoked: mine.Load})
		first, _ := connect(t, server, "")
		second, _ := connect(t, server, "")
		b.lifetime.Store(&bridge.Lifetime{Revoked: others.Load})
		other, _ := connect(t, server, "")
		b.lifetime.Store(nil)
		anonymous, _ := connect(t, server, "")

		b.outlet.Recheck() // nothing has changed
		mine.Store(true)
		b.outlet.Recheck()
		first.closes(t)
		second.closes(t)
		bridgetest.Eventually(t, "two have ended", func() bool { return b.outlet.Stats().Open == 2 })
		b.publish([]byte("after"))
		for _, c := range []*client{other, anonymous} {
			if event := c.next(t); event.Data != "after" {
				t.Errorf("%+v", event)
			}
		}
		others.Store(true)
		b.outlet.Recheck()
		other.closes(t)
		anonymous.response.Body.Close()
		b.ended(t, map[string]uint64{"auth": 3, "client": 1})
	})
}

// A revocation between the check of a token and the beginning of its connection ends the connection.
func TestRevocationBeforeTheBeginning(t *testing.T) {
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		b.lifetime.Store(&bridge.Lifetime{Revoked: func() bool { return true }})
		b.publish([]byte("secret"))
		c, event := connect(t, server, "test-0")
		if event.Type != bridge.EventClose || event.Data != closedByAuth {
			t.Fatalf("it begins with %+v", event)
		}
		c.end(t)
		b.ended(t, map[string]uint64{"auth": 1})
	})
}

// A client that receives nothing does not keep the connection open: it ends at the next read, or is cut.
func TestRevocationOfAStalledConnection(t *testing.T) {
	t.Parallel()
	overSockets(t, func(t *testing.T, p protocol) {
		config := patient
		config.WriteTimeout = 500 * time.Millisecond
		b := newFixture(t, p.on(config), plenty)
		server := b.serve(t, p)
		var revoked atomic.Bool
		b.lifetime.Store(&bridge.Lifetime{Revoked: revoked.Load})
		_ = dial(t, server)
		for range 200 {
			b.publish([]byte(strings.Repeat("x", 10_000)))
		}
		revoked.Store(true)
		b.outlet.Recheck()
		bridgetest.Eventually(t, "it has ended", func() bool { return b.outlet.Stats().Open == 0 })
	})
}

// Where the time is not real, the end is exact; age and drain do not come before it, nor are they taken for it.
func TestExpiryIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := patient
		config.Age = 10 * time.Hour
		b := newFixture(t, config, plenty)
		b.lifetime.Store(&bridge.Lifetime{Until: time.Now().Add(time.Hour)})
		c := b.crowd(t, 20)
		c.serving.Wait()
		c.check(t, "auth")
		for _, at := range c.ended {
			if at != time.Hour+patient.CloseDelay {
				t.Errorf("one ended after %v", at)
			}
		}
		b.lifetime.Store(&bridge.Lifetime{Until: time.Now().Add(100 * time.Hour)})
		c = b.crowd(t, 20)
		c.serving.Wait()
		c.check(t, "age")
	})
}

// A token expires by the clock on the wall. That may have been wrong when the process started, and may be set later: neither
// ends a connection too early nor lets it live on.
func TestExpiryFollowsTheClock(t *testing.T) {
	t.Parallel()
	overProtocols(t, func(t *testing.T, p protocol) {
		config := patient
		config.Heartbeat = 100 * time.Millisecond
		b := newFixtureBy(t, p.on(config), plenty, 2*time.Hour)
		server := b.serve(t, p)
		b.fast.Store(0) // it is set
		b.lifetime.Store(&bridge.Lifetime{Until: time.Now().Add(time.Hour)})
		c, _ := connect(t, server, "")
		beats := make(chan error, 1)
		go func() {
			for range 3 {
				if _, err := io.ReadFull(c.response.Body, make([]byte, 2)); err != nil {
					beats <- err
				}
			}
			beats <- nil
		}()
		if err := <-beats; err != nil {
			t.Fatal("it has ended:", err)
		}
		b.fast.Store(int64(2 * time.Hour)) // and again
		if p.loops == 0 {
			// The other writer looks at the clock once a minute; TestExpiryOfASetClock waits for that.
			c.response.Body.Close()
			return
		}
		c.closes(t)
		b.ended(t, map[string]uint64{"auth": 1})
	})
}

// The plain writer, where the time is not real.
func TestExpiryOfASetClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFixture(t, patient, plenty)
		b.lifetime.Store(&bridge.Lifetime{Until: time.Now().Add(time.Hour)})
		c := b.crowd(t, 5)
		time.Sleep(10 * time.Minute)
		b.fast.Store(int64(time.Hour))
		c.serving.Wait()
		c.check(t, "auth")
		for _, at := range c.ended {
			if at > 11*time.Minute+patient.CloseDelay {
				t.Errorf("one ended after %v", at)
			}
		}
	})
}
