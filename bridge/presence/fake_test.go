package presence_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/presence"
)

// bucket is a key-value bucket as NATS keeps it: revisions count all writes, and a key that is deleted keeps its last.
type bucket struct {
	mu     sync.Mutex
	last   uint64
	keys   map[string]entry
	states []presence.State // every value of a subject, in order
	writes map[string]int
	reads  map[string]int // of keys, and of filters
	most   int            // bytes of a value; 0 for no limit
	seen   map[*link]func(key string, value []byte)
}

type entry struct {
	value    []byte
	revision uint64
	until    time.Time
}

func newBucket() *bucket {
	return &bucket{keys: map[string]entry{}, writes: map[string]int{}, reads: map[string]int{}, seen: map[*link]func(string, []byte){}}
}

func (b *bucket) get(key string) entry {
	e := b.keys[key]
	if !e.until.IsZero() && !time.Now().Before(e.until) {
		return entry{}
	}
	return e
}

func (b *bucket) put(key string, value []byte, revision uint64, ttl time.Duration) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.most > 0 && len(value) > b.most {
		return 0, fmt.Errorf("publish: %w", bridge.ErrTooLarge)
	}
	if b.get(key).revision != revision {
		return 0, bridge.ErrConflict
	}
	b.last++
	e := entry{value, b.last, time.Time{}}
	if ttl > 0 {
		e.until = time.Now().Add(ttl)
	}
	b.keys[key] = e
	b.writes[key]++
	for _, do := range b.seen {
		go do(key, value) // a bridge sees it later
	}
	if !strings.HasPrefix(key, "_") {
		b.states = append(b.states, decode(value))
	}
	return b.last, nil
}

func decode(value []byte) (state presence.State) {
	if value != nil && json.Unmarshal(value, &state) != nil {
		return presence.State{Members: []presence.Member{{PresenceMember: bridge.PresenceMember{Name: "what another program wrote"}}}}
	}
	return state
}

// state returns what the bucket says of a subject.
func (b *bucket) state(subject string) presence.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return decode(b.get(subject).value)
}

// told returns every value of a subject, in order.
func (b *bucket) told() []presence.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.states)
}

// wrote returns how often a key was written.
func (b *bucket) wrote(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writes[key]
}

// value returns what the bucket has under a key.
func (b *bucket) value(key string) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.get(key).value
}

// names returns who is on a subject.
func (b *bucket) names(subject string) (names []string) {
	state := b.state(subject)
	for _, m := range state.Members {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return names
}

// events returns what was told of a subject, as "join Ada" or "leave Ada".
func (b *bucket) events() (events []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.states {
		for _, name := range s.Joined {
			events = append(events, "join "+name)
		}
		for _, name := range s.Left {
			events = append(events, "leave "+name)
		}
	}
	return events
}

// link is one bridge's way to a bucket.
type link struct {
	*bucket
	mu      sync.Mutex
	isCut   bool
	misses  int // so many calls fail
	isSlow  time.Duration
	values  time.Duration // for which it reads the values of all subjects
	refuses error         // Prepare's answer
}

var errCut = errors.New("the link is cut")

func (l *link) call(ctx context.Context) error {
	l.mu.Lock()
	isCut, slow := l.isCut || l.misses > 0, l.isSlow
	l.misses = max(0, l.misses-1)
	l.mu.Unlock()
	if isCut {
		return errCut
	}
	if slow == 0 {
		return ctx.Err() // a timer that is due at once has crashed the race detector, in a bubble
	}
	select {
	case <-time.After(slow):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *link) cut(is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = is
}

func (l *link) miss(calls int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.misses = calls
}

func (l *link) slow(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isSlow = d
}

func (l *link) slowValues(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.values = d
}

func (l *link) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuses = err
}

func (l *link) Prepare(ctx context.Context) error {
	if err := l.call(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refuses
}

func (l *link) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	if strings.ContainsAny(key, " *>") || strings.HasSuffix(key, ".") {
		return nil, 0, fmt.Errorf("%q is no key", key)
	}
	if err := l.call(ctx); err != nil {
		return nil, 0, err
	}
	l.bucket.mu.Lock()
	defer l.bucket.mu.Unlock()
	l.reads[key]++
	e := l.get(key)
	return e.value, e.revision, nil
}

func (l *link) Put(ctx context.Context, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error) {
	if err := l.call(ctx); err != nil {
		return 0, err
	}
	return l.put(key, value, revision, ttl)
}

func (l *link) Delete(ctx context.Context, key string, revision uint64) error {
	if err := l.call(ctx); err != nil {
		return err
	}
	_, err := l.put(key, nil, revision, 0)
	return err
}

func (l *link) Watch(ctx context.Context, do func(string, []byte)) error {
	if err := l.call(ctx); err != nil {
		return err
	}
	l.bucket.mu.Lock()
	l.seen[l] = func(key string, value []byte) {
		if l.call(ctx) == nil {
			do(key, value)
		}
	}
	l.bucket.mu.Unlock()
	<-ctx.Done()
	l.bucket.mu.Lock()
	delete(l.seen, l)
	l.bucket.mu.Unlock()
	return ctx.Err()
}

func (l *link) Each(ctx context.Context, filter bridge.Subject, do func(string, []byte)) error {
	if err := l.call(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	slow := l.values
	l.mu.Unlock()
	if filter == ">" && slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	l.bucket.mu.Lock()
	l.reads[string(filter)]++
	found := map[string][]byte{}
	for key := range l.keys {
		if e := l.get(key); e.value != nil && filter.Covers(bridge.Subject(key)) {
			found[key] = e.value
		}
	}
	l.bucket.mu.Unlock()
	for key, value := range found {
		do(key, value)
	}
	return nil
}

// node is a bridge before a bucket.
type node struct {
	*presence.Tracker
	link *link
	told chan []byte  // to the readers of this bridge alone
	log  bytes.Buffer // to be read when the bridge is closed
}

// open opens a bridge, until the end of the test's bubble.
func open(t *testing.T, b *bucket, most ...int) *node {
	return openOver(t, &link{bucket: b}, most...)
}

func openOver(t *testing.T, l *link, most ...int) *node {
	n := &node{link: l, told: make(chan []byte, 1000)}
	n.Tracker = presence.Open(presence.Config{
		Subjects: []bridge.Subject{"chat.>", "_lease.>"}, Shared: n.link, Most: append(most, 0)[0], Log: slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &n.log), nil)),
		Tell: func(_ bridge.Subject, value []byte) { n.told <- value },
	})
	t.Cleanup(n.Close)
	return n
}

// kill ends a bridge as `kill -9` would: it says nothing any more.
func (n *node) kill() {
	n.link.cut(true)
	n.Close()
}

func (n *node) join(subject, name string) (leave func()) {
	leaves := n.Join([]bridge.Subject{bridge.Subject(subject)}, bridge.Visitor{Name: name})
	return func() { leaves(false) }
}
