package outlet_test

// What happens by the clock, in bubbles whose time is not real.

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

func TestHeartbeat(t *testing.T) {
	for target, beat := range map[string]string{"/": ":\n", "/?lines": "\n"} {
		t.Run(target, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := patient
				config.Heartbeat = 15 * time.Second
				b := newFixture(t, config, plenty)
				out := &sink{}
				ctx, cancel := context.WithCancel(t.Context())
				var serving sync.WaitGroup
				serving.Go(func() { b.answer(t, out, request(ctx, target)) })
				synctest.Wait()
				out.take()
				// after lets time pass, and compares what was written in it.
				after := func(pause time.Duration, want string) {
					t.Helper()
					time.Sleep(pause)
					synctest.Wait()
					if got, _ := out.take(); got != want {
						t.Fatalf("after %v of silence: %q instead of %q", pause, got, want)
					}
				}
				for range 3 {
					after(15*time.Second-1, "")
					after(1, beat)
				}
				for i := range 20 {
					after(14*time.Second, "")
					b.publish(fmt.Append(nil, i))
					synctest.Wait()
					if got, writes := out.take(); writes != 1 || got == beat {
						t.Fatalf("%q in %d writes instead of a message", got, writes)
					}
				}
				after(15*time.Second-1, "")
				after(1, beat)
				cancel()
				serving.Wait()
			})
		})
	}
}

// crowd serves connections to sinks, and records when each ends.
type crowd struct {
	sinks   []*sink
	ended   []time.Duration // since it began
	serving sync.WaitGroup
}

func (b *fixture) crowd(t *testing.T, size int) *crowd {
	t.Helper()
	c := &crowd{ended: make([]time.Duration, size)}
	start := time.Now()
	for i := range size {
		out := &sink{}
		c.sinks = append(c.sinks, out)
		c.serving.Go(func() {
			b.answer(t, out, request(t.Context(), "/"))
			c.ended[i] = time.Since(start)
		})
	}
	synctest.Wait()
	return c
}

// check compares how every connection ended: the reason, and when it asks the client to come back.
func (c *crowd) check(t *testing.T, reason string) {
	t.Helper()
	c.returns(t, reason, func(int) time.Duration { return time.Second })
}

// returns is check where the earliest time to come back is not the usual one.
func (c *crowd) returns(t *testing.T, reason string, earliest func(connection int) time.Duration) {
	t.Helper()
	retries := map[int]bool{}
	for i, out := range c.sinks {
		stream, events := out.events(t)
		if len(events) != 2 || events[0].Type != bridge.EventOpen || events[1].Type != bridge.EventClose || events[1].Data != `{"reason":"`+reason+`"}` || events[1].ID != events[0].ID {
			t.Fatalf("%+v", events)
		}
		if least := int(earliest(i).Milliseconds()); stream.Retry < least || stream.Retry > least+2000 {
			t.Errorf("retry: %d instead of %d or a little more", stream.Retry, least)
		}
		retries[stream.Retry] = true
	}
	if len(retries) < len(c.sinks)/2 {
		t.Errorf("%d connections were given only %d different times to come back", len(c.sinks), len(retries))
	}
}

func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := patient
		config.Age = time.Hour
		b := newFixture(t, config, plenty)
		c := b.crowd(t, 200)
		c.serving.Wait()
		c.check(t, "age")
		early, late := 0, 0
		for _, age := range c.ended {
			if age < 48*time.Minute || age > 72*time.Minute+time.Second { // the opening takes a moment
				t.Errorf("one ended after %v", age)
			}
			if age < 56*time.Minute {
				early++
			} else if age > 64*time.Minute {
				late++
			}
		}
		if early < 20 || late < 20 {
			t.Errorf("of 200, %d ended early and %d late", early, late)
		}
		b.ended(t, map[string]uint64{"age": 200})
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		connections   int
		window, least time.Duration // least: what the drain must at least take, spread over all of the window
	}{
		{connections: 1, window: 10 * time.Second},
		{connections: 200, window: 10 * time.Second, least: 9 * time.Second},
		{connections: 3000, window: 10 * time.Second, least: 9 * time.Second},
		{connections: 100, window: 0},
	} {
		t.Run(fmt.Sprint(test.connections, " in ", test.window), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFixture(t, patient, plenty)
				c := b.crowd(t, test.connections)
				start := time.Now()
				b.outlet.Drain(t.Context(), test.window)
				took := time.Since(start)
				if took > test.window+patient.CloseDelay || took < test.least {
					t.Errorf("it took %v", took)
				}
				if open := b.outlet.Stats().Open; open != 0 {
					t.Errorf("Drain has returned, and %d connections are open", open)
				}
				c.serving.Wait()
				// Nobody comes back between the end of the drain and the moment in which this process may have been started anew.
				c.returns(t, "drain", func(i int) time.Duration {
					if left := test.window + patient.CloseDelay - c.ended[i]; left <= patient.Retry {
						return left + 2*time.Second
					}
					return patient.Retry / 2
				})
				last, atOnce := time.Duration(0), map[time.Duration]int{}
				for _, at := range c.ended {
					last = max(last, at)
					atOnce[at.Truncate(100*time.Millisecond)]++
				}
				if last != took {
					t.Errorf("the last connection ended after %v, Drain after %v", last, took)
				}
				for at, n := range atOnce {
					if test.least > 0 && n > max(test.connections/20, 50) {
						t.Errorf("%d ended within 100 ms, at %v", n, at)
					}
				}
				b.ended(t, map[string]uint64{"drain": uint64(test.connections)})
			})
		})
	}
}

func TestDrainWithoutConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFixture(t, patient, plenty)
		start := time.Now()
		b.outlet.Drain(t.Context(), time.Minute)
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v", took)
		}
		// Requests that were on their way end at once as well.
		for range 2 {
			c := b.crowd(t, 1)
			c.serving.Wait()
			c.check(t, "drain")
			if c.ended[0] != patient.CloseDelay {
				t.Errorf("a late connection stayed for %v", c.ended[0])
			}
		}
		b.ended(t, map[string]uint64{"drain": 2})
	})
}

// A connection that always has something to write ends as well.
func TestBusyConnectionEnds(t *testing.T) {
	for _, reason := range []string{"age", "drain"} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := patient
				config.Age = 10 * time.Second
				if reason == "drain" {
					config.Age = time.Hour
				}
				b := newFixture(t, config, bridge.DefaultMemory)
				start := time.Now()
				out := &sink{before: func() {
					if time.Since(start) < time.Minute {
						b.publish([]byte("again"))
					}
					time.Sleep(time.Millisecond) // what the client takes
				}}
				var serving sync.WaitGroup
				serving.Go(func() { b.answer(t, out, request(t.Context(), "/")) })
				synctest.Wait()
				if reason == "drain" {
					time.Sleep(8 * time.Second)
					b.outlet.Drain(t.Context(), 2*time.Second)
				}
				serving.Wait()
				// Which of two things that are due comes first is drawn by lot, so a few writes may still come.
				if took := time.Since(start); took < 8*time.Second || took > 12*time.Second+50*time.Millisecond {
					t.Errorf("it ended after %v", took)
				}
				_, events := out.events(t)
				if last := events[len(events)-1]; len(events) < 1000 || last.Type != bridge.EventClose || last.Data != `{"reason":"`+reason+`"}` {
					t.Errorf("of %d events the last is %+v", len(events), last)
				}
				b.ended(t, map[string]uint64{reason: 1})
			})
		})
	}
}
