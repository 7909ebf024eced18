package source

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// refusals are the subjects that NATS does not let this bridge use. It says so in an error that belongs to no call, and
// answers the ping behind it all the same; so a round trip alone proves nothing.
type refusals struct {
	mu        *sync.Mutex
	last      error // the last violation that was noted
	change    chan struct{}
	subscribe map[string]uint64 // the connection on which the subject was refused
	publish   map[string]uint64
	count     uint64            // of violations
	counts    map[string]uint64 // what the last one to publish to the subject was
}

// maxRefused bounds what is remembered of publishing: callers choose the subjects.
const maxRefused = 1000

func newRefusals() refusals {
	return refusals{new(sync.Mutex), nil, make(chan struct{}), map[string]uint64{}, map[string]uint64{}, 0, map[string]uint64{}}
}

var violation = regexp.MustCompile(`(Subscription|Publish) to ("(?:[^"\\]|\\.)*")`)

// note takes a violation from nats.go's error handler, and gives the subject.
func (r *refusals) note(err error, connection uint64) (subject string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = err
	r.count++
	close(r.change)
	r.change = make(chan struct{})
	match := violation.FindStringSubmatch(err.Error())
	if match == nil {
		return ""
	}
	subject, unquoteErr := strconv.Unquote(match[2])
	if unquoteErr != nil {
		return match[2]
	}
	refused := r.subscribe
	if match[1] == "Publish" {
		refused = r.publish
	}
	if len(refused) >= maxRefused && match[1] == "Publish" {
		clear(refused)
		clear(r.counts)
	}
	if match[1] == "Publish" {
		r.counts[subject] = r.count
	}
	refused[subject] = connection
	return subject
}

// noted waits until the violations that nats.go has read were noted: it calls its error handler some time later, from
// another goroutine, in order.
func (r *refusals) noted(ctx context.Context, conn *nats.Conn) bool {
	for {
		last := conn.LastError()
		r.mu.Lock()
		isNoted, change := r.last == last, r.change
		r.mu.Unlock()
		if isNoted || !errors.Is(last, nats.ErrPermissionViolation) {
			return true
		}
		select {
		case <-change:
		case <-ctx.Done():
			return false
		}
	}
}

// anyOf tells whether one of the filters was refused on the connection.
func (r *refusals) anyOf(filters []bridge.Subject, connection uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(filters, func(f bridge.Subject) bool { return r.subscribe[string(f)] == connection })
}

// published tells whether publishing to the subject was refused on the connection.
func (r *refusals) published(subject bridge.Subject, connection uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.publish[string(subject)] == connection
}

// soFar gives the number of violations, and a channel that is closed at the next.
func (r *refusals) soFar() (count uint64, change <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count, r.change
}

// publishedSince tells whether publishing to the subject was refused since there were so many violations.
func (r *refusals) publishedSince(count uint64, subject string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[subject] > count
}
