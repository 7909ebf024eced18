package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

const (
	// barredFor is how long a stream is left alone that cannot be read, unless there is a new connection.
	barredFor = 30 * time.Second
	// refusedFor is that where NATS refuses it to the bridge's user: each attempt is logged, here and there.
	refusedFor = tableRefused * tableInterval
)

// bar is why a stream cannot be read. It stays when its time is over, until the stream was read: so that the log says it once.
type bar struct {
	obstacle
	until time.Time
}

// obstacle is what keeps the bridge from reading a stream, until somebody removes it.
type obstacle struct {
	why    string // "" for none
	remedy string
	lasts  time.Duration // until it is worth another attempt
}

// transient are refusals that end by themselves: servers look for each other, or a stream is being moved.
var transient = []jetstream.ErrorCode{js.CodeIncomplete, js.CodeNoLeader, js.CodeNotLeader, js.CodeOffline, jetstream.JSErrCodeStreamNotFound}

// hindrance returns what keeps a stream from being read, for an error of doing so. An error that may pass by itself is none.
func (t *table) hindrance(name string, err error) obstacle {
	var refusal *jetstream.APIError
	switch {
	case errors.Is(err, bridge.ErrRefused):
		return obstacle{
			"NATS does not let this bridge read the stream " + name,
			"run tailwater check again, and allow the bridge's user what it prints", refusedFor,
		}
	case !errors.As(err, &refusal) || slices.Contains(transient, refusal.ErrorCode) || isAbsence(err):
		return obstacle{}
	}
	found := obstacle{fmt.Sprintf("JetStream makes no consumer on the stream %s: %s", name, refusal.Description), "", barredFor}
	switch {
	case refusal.ErrorCode == js.CodeMaxConsumers:
		found.remedy = "raise max_consumers of the stream or of the account, or delete a consumer that is not used: " + t.api.Command("consumer", "ls", name)
	case js.IsFull(refusal.ErrorCode):
		found.remedy = "give JetStream more memory, on the server or in the account"
	default:
		found.remedy = t.api.Command("stream", "info", name)
	}
	return found
}

// bar takes a stream for one that cannot be read on the present link: readers would wait for it for ever, so what it holds is
// passed on as it comes.
func (t *table) bar(name string, link *js.Link, by obstacle) {
	if link != t.api.Link() {
		return // another one may be allowed more
	}
	t.mu.Lock()
	before, known := t.barred[name]
	t.barred[name] = bar{by, time.Now().Add(by.lasts)}
	t.timed()
	t.spread()
	t.mu.Unlock()
	if !known || before.why != by.why {
		t.log.Error("a stream cannot be read; what callers read of it is passed on as it comes, without history",
			"stream", name, "error", by.why, "remedy", by.remedy)
	}
	t.changed()
}

// isBarred reports whether a stream cannot be read at present. The lock must be held.
func (t *table) isBarred(name string) bool {
	return time.Now().Before(t.barred[name].until)
}

// liftBars makes all streams be tried again: a new link may be allowed more. The lock must be held.
func (t *table) liftBars() {
	for name, b := range t.barred {
		b.until = time.Time{}
		t.barred[name] = b
	}
}

// unbar takes note that a stream can be read.
func (t *table) unbar(name string) {
	t.mu.Lock()
	_, known := t.barred[name]
	delete(t.barred, name)
	if known {
		t.spread()
	}
	t.mu.Unlock()
	if known {
		t.log.Info("a stream can be read again", "stream", name)
	}
}

// timed wakes run for something that ends at a certain time.
func (t *table) timed() {
	select {
	case t.lapse <- struct{}{}:
	default:
	}
}

// expire ends what has had its time, and returns how long the next has.
func (t *table) expire() time.Duration {
	now, next := time.Now(), tableInterval
	ended := false
	var gone []*stream
	t.mu.Lock()
	for name, was := range t.missed {
		if left := was.until.Sub(now); left > 0 {
			next = min(next, left)
			continue
		}
		delete(t.missed, name)
		ended = true
		if t.used[name] && t.now.get(name) == nil {
			delete(t.used, name)
			gone = append(gone, was.stream)
		}
	}
	for name, b := range t.barred {
		switch left := b.until.Sub(now); {
		case b.until.IsZero():
		case left > 0:
			next = min(next, left)
		default:
			b.until = time.Time{}
			t.barred[name] = b
			ended = true
			if t.now.get(name) == nil {
				delete(t.barred, name)
			}
		}
	}
	if ended {
		t.spread()
	}
	t.mu.Unlock()
	for _, stream := range gone {
		t.tellGone(stream)
	}
	if ended {
		t.changed()
	}
	return next
}

// consumable finds out what keeps a consumer from being made on a stream, by making one.
func (t *table) consumable(ctx context.Context, of *stream) obstacle {
	push := t.api.NewPush(t.api.Conn, of.name())
	_, err := push.Make(ctx, t.call, nats.ConsumerConfig{DeliverPolicy: nats.DeliverNewPolicy}, of.info.Config.ConsumerLimits)
	if err != nil {
		return t.hindrance(of.name(), err)
	}
	push.Close()
	return obstacle{}
}
