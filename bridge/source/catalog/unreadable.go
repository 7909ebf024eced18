package catalog

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
	// retryIn is how long an unreadable stream is left alone, unless there is a new connection.
	retryIn = 30 * time.Second
	// refusedFor is the same for a stream that NATS refuses to the bridge's user. It doubles with each attempt, up to retryIn.
	refusedFor = 2 * time.Second
	// lastRefused is the longest of all.
	lastRefused = tableRefused * tableInterval
)

// bar is why a stream cannot be read. It remains after its time, until the stream was read, so that the log reports it once.
type bar struct {
	Obstacle
	until time.Time
}

// Obstacle is what prevents the bridge from reading a stream, until somebody removes it.
type Obstacle struct {
	Why    string // "" for no obstacle
	Remedy string
	Lasts  time.Duration // until another attempt is worthwhile
}

// transient are refusals that end by themselves: servers are looking for each other, or a stream is being moved.
var transient = []jetstream.ErrorCode{js.CodeIncomplete, js.CodeNoLeader, js.CodeNotLeader, js.CodeOffline, jetstream.JSErrCodeStreamNotFound}

// Obstacle returns the obstacle behind an error of reading a stream. An error that may pass by itself is no obstacle.
func (t *Table) Obstacle(name string, err error) Obstacle {
	var refusal *jetstream.APIError
	switch {
	case errors.Is(err, bridge.ErrRefused):
		return Obstacle{
			"NATS does not let this bridge read the stream " + name,
			"run tailwater check again, and allow the bridge's user what it prints", refusedFor,
		}
	case !errors.As(err, &refusal) || slices.Contains(transient, refusal.ErrorCode) || isAbsence(err):
		return Obstacle{}
	}
	found := Obstacle{fmt.Sprintf("JetStream makes no consumer on the stream %s: %s", name, refusal.Description), "", retryIn}
	switch {
	case refusal.ErrorCode == js.CodeMaxConsumers:
		found.Remedy = "raise max_consumers of the stream or of the account, or delete a consumer that is not used: " + t.api.Command("consumer", "ls", name)
	case js.IsFull(refusal.ErrorCode):
		found.Remedy = "give JetStream more memory, on the server or in the account"
	default:
		found.Remedy = t.api.Command("stream", "info", name)
	}
	return found
}

// MarkUnreadable marks a stream as unreadable on the present link. Its messages are then passed on as they arrive, because
// readers would otherwise wait forever.
func (t *Table) MarkUnreadable(name string, link *js.Link, by Obstacle) {
	if link != t.api.Link() {
		return // another link may have wider rights
	}
	t.mu.Lock()
	before, known := t.unreadable[name]
	if known {
		by.Lasts = min(max(by.Lasts, 2*before.Lasts), lastRefused) // try was wrong; its readers have moved for nothing
	}
	t.unreadable[name] = &bar{Obstacle: by, until: time.Now().Add(by.Lasts)}
	js.Wake(t.wake)
	t.news.Send()
	t.mu.Unlock()
	if !known || before.Why != by.Why {
		t.log.Error("a stream cannot be read; its messages are passed on as they arrive, without history",
			"stream", name, "error", by.Why, "remedy", by.Remedy)
	}
	t.changed()
}

// isUnreadable reports whether a stream cannot be read at present. The lock must be held.
func (t *Table) isUnreadable(name string) bool {
	b := t.unreadable[name]
	return b != nil && time.Now().Before(b.until)
}

// retryUnreadable makes all streams be tried again: a new link may have wider rights. The lock must be held.
func (t *Table) retryUnreadable() {
	for _, b := range t.unreadable {
		b.until = time.Time{}
	}
}

// MarkReadable records that a stream can be read.
func (t *Table) MarkReadable(name string) {
	t.mu.Lock()
	_, known := t.unreadable[name]
	delete(t.unreadable, name)
	t.mu.Unlock()
	if known {
		t.log.Info("a stream can be read again", "stream", name)
	}
}

// retryDue tries the streams again that were left alone long enough. The lock must be held.
func (t *Table) retryDue(now time.Time) (next time.Duration, ended bool) {
	next = tableInterval
	for name, b := range t.unreadable {
		switch remaining := b.until.Sub(now); {
		case b.until.IsZero():
		case remaining > 0:
			next = min(next, remaining)
		case t.now.Get(name) == nil:
			delete(t.unreadable, name)
			ended = true
		default:
			// Until it is known to be readable, its readers stay where they are.
			b.until = now.Add(tableRound)
			stream := t.now.Get(name)
			t.running.Go(func() { t.try(stream) })
		}
	}
	return next, ended
}

// try finds out whether a stream that could not be read can be read by now.
func (t *Table) try(stream *Stream) {
	ctx, cancel := context.WithTimeout(t.alive, tableRound)
	defer cancel()
	name := stream.Name()
	_, err := t.api.Stored(ctx, name, js.MsgGet{Seq: 1})
	by := t.Obstacle(name, err)
	if by.Why == "" {
		by = t.consumable(ctx, stream)
	}
	isFree := by.Why == "" && ctx.Err() == nil
	t.mu.Lock()
	if b := t.unreadable[name]; b != nil && isFree {
		b.until = time.Time{}
	} else if b != nil {
		b.Lasts = min(2*b.Lasts, retryIn)
		b.until = time.Now().Add(b.Lasts)
	}
	js.Wake(t.wake)
	t.news.Send()
	t.mu.Unlock()
	if isFree {
		t.changed()
	}
}

// consumable returns what prevents a consumer on a stream, by making one.
func (t *Table) consumable(ctx context.Context, of *Stream) Obstacle {
	pull := t.api.NewPull(t.api.Conn, of.Name())
	defer pull.Close()
	_, err := pull.Make(ctx, nats.ConsumerConfig{DeliverPolicy: nats.DeliverNewPolicy}, of.Info.Config.ConsumerLimits)
	if err == nil {
		err = pull.Prove(ctx)
	}
	return t.Obstacle(of.Name(), err)
}

// IsRead reports whether feeds read from a stream, so that a connection can continue after a message in it.
func (t *Table) IsRead(of *Stream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return of.Untapped() == "" && !t.isUnreadable(of.Name())
}
