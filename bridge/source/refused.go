package source

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// refusals are what NATS has refused on one connection to it. NATS says so in an error that belongs to no call, and answers
// the ping behind it all the same, so a round trip alone proves nothing. A refusal is of one direction. It counts only for
// what was asked before it came: permissions can change under a connection.
//
// nats.go calls its handlers from one goroutine, in order. So what is noted between two calls of renew belongs to the
// connection that the first was for.
type refusals struct {
	mu         sync.Mutex
	connection uint64 // the dial that the rest is of
	last       error  // the last refusal that was noted
	change     chan struct{}
	count      uint64            // of refusals, on all connections
	limited    uint64            // of those that were for too many subscriptions
	subscribe  map[string]uint64 // what count was when the subject was refused last
	publish    map[string]uint64
}

// maxRefused bounds what is remembered of each direction: callers choose the subjects.
const maxRefused = 1000

func newRefusals() *refusals {
	return &refusals{change: make(chan struct{}), subscribe: map[string]uint64{}, publish: map[string]uint64{}}
}

// renew forgets what an earlier connection has refused.
func (r *refusals) renew(connection uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connection, r.last = connection, nil
	clear(r.subscribe)
	clear(r.publish)
}

// refusal is one error of NATS that speaks of subjects.
type refusal struct {
	subject   string // "" where the error names none
	subscribe bool
}

var violation = regexp.MustCompile(`(Subscription|Publish) to ("(?:[^"\\]|\\.)*")`)

func parseViolation(err error) refusal {
	match := violation.FindStringSubmatch(err.Error())
	if match == nil {
		return refusal{}
	}
	found := refusal{subject: match[2], subscribe: match[1] == "Subscription"}
	if plain, err := strconv.Unquote(match[2]); err == nil {
		found.subject = plain
	}
	return found
}

// note takes a refusal from nats.go's error handler.
func (r *refusals) note(err error) refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = err
	r.count++
	close(r.change)
	r.change = make(chan struct{})
	if errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
		r.limited++
		return refusal{subscribe: true}
	}
	found := parseViolation(err)
	of := r.publish
	if found.subscribe {
		of = r.subscribe
	}
	if found.subject == "" {
		return found
	}
	if len(of) >= maxRefused {
		clear(of)
	}
	of[found.subject] = r.count
	return found
}

// noted waits until the refusals that nats.go has read were noted: it calls its error handler some time later.
func (r *refusals) noted(ctx context.Context, conn *nats.Conn) bool {
	for {
		last := conn.LastError()
		r.mu.Lock()
		isNoted, change := r.last == last, r.change
		r.mu.Unlock()
		if isNoted || !errors.Is(last, nats.ErrPermissionViolation) && !errors.Is(last, nats.ErrMaxSubscriptionsExceeded) {
			return true
		}
		select {
		case <-change:
		case <-ctx.Done():
			return false
		}
	}
}

// anyOf reports whether one of the subscriptions was refused on the connection.
func (r *refusals) anyOf(filters []bridge.Subject, connection uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.connection == connection && slices.ContainsFunc(filters, func(f bridge.Subject) bool { return r.subscribe[string(f)] > 0 })
}

// soFar returns the number of refusals, and a channel that is closed at the next.
func (r *refusals) soFar() (count uint64, change <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count, r.change
}

// overLimit returns how often NATS has refused a subscription because there were too many.
func (r *refusals) overLimit() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limited
}

// publishedSince reports whether publishing to the subject was refused after the first count refusals.
func (r *refusals) publishedSince(count uint64, subject string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.publish[subject] > count
}

// subscribedSince is publishedSince for a subscription.
func (r *refusals) subscribedSince(count uint64, subject string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.subscribe[subject] > count
}

// isStalling reports whether the answers are refused without which a consumer with flow control stops.
func (r *refusals) isStalling() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for subject := range r.publish {
		if strings.HasPrefix(subject, flowControlBegin) {
			return true
		}
	}
	return false
}
