package source

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

type History struct {
	Subjects      []bridge.Subject
	Stream        string
	MaxAge        time.Duration
	MaxBytes      int64
	MaxPerSubject int64
	Replicas      int
	Memory        bool
	Manage        bool
}

type stream struct {
	info  jetstream.StreamInfo
	epoch string
}

type part struct {
	stream   *stream
	subjects []bridge.Subject
}

type table struct {
	api     api
	changed func()
	again   chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}

	mu      sync.Mutex
	loaded  chan struct{}
	streams map[string]*stream
}

func newTable(conn *nats.Conn, _ *refusals, h History, changed func(), log *slog.Logger) *table {
	t := &table{api: api{conn}, changed: changed, again: make(chan struct{}, 1), done: make(chan struct{}), loaded: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	conn.Subscribe("$JS.EVENT.ADVISORY.STREAM.*.>", func(*nats.Msg) { t.refresh() })
	go t.run(h)
	return t
}

func (t *table) refresh() {
	select {
	case t.again <- struct{}{}:
	default:
	}
}

func (t *table) run(h History) {
	defer close(t.done)
	for {
		t.load(h)
		select {
		case <-t.again:
		case <-time.After(time.Second):
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *table) load(h History) {
	ctx, cancel := context.WithTimeout(t.ctx, 5*time.Second)
	defer cancel()
	if len(h.Subjects) > 0 {
		var subjects []string
		for _, s := range h.Subjects {
			subjects = append(subjects, string(s))
		}
		t.api.call(ctx, "STREAM.CREATE."+h.Stream, jetstream.StreamConfig{Name: h.Stream, Subjects: subjects, AllowDirect: true, MaxAge: h.MaxAge, MaxMsgsPerSubject: h.MaxPerSubject, MaxBytes: h.MaxBytes, Replicas: 1}, nil)
	}
	var names struct {
		Streams []string `json:"streams"`
	}
	found := map[string]*stream{}
	if err := t.api.call(ctx, "STREAM.NAMES", map[string]int{"offset": 0}, &names); err != nil {
		if !errors.Is(err, nats.ErrNoResponders) {
			return
		}
	}
	for _, n := range names.Streams {
		var info jetstream.StreamInfo
		if err := t.api.call(ctx, "STREAM.INFO."+n, nil, &info); err != nil {
			continue
		}
		found[n] = &stream{info, bridge.Epoch(n, info.Created)}
	}
	t.mu.Lock()
	same := t.streams != nil && len(found) == len(t.streams)
	for n, s := range found {
		if o := t.streams[n]; o == nil || o.epoch != s.epoch {
			same = false
		}
	}
	if t.streams == nil {
		close(t.loaded)
	}
	t.streams = found
	t.mu.Unlock()
	if !same {
		t.changed()
	}
}

func (t *table) close() { t.cancel(); <-t.done }

func (t *table) classify(subjects []bridge.Subject) ([]part, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.streams == nil {
		return nil, false
	}
	by := map[*stream][]bridge.Subject{}
	for _, s := range subjects {
		st := t.find(s)
		if st != nil && st.info.Config.Retention != jetstream.LimitsPolicy {
			st = nil
		}
		by[st] = append(by[st], s)
	}
	var parts []part
	for st, sub := range by {
		parts = append(parts, part{st, sub})
	}
	return parts, true
}

func (t *table) find(s bridge.Subject) *stream {
	for _, st := range t.streams {
		for _, c := range st.info.Config.Subjects {
			if bridge.Subject(c).Covers(s) {
				return st
			}
		}
	}
	return nil
}

func (t *table) holding(ctx context.Context, s bridge.Subject) (*stream, error) {
	select {
	case <-t.loaded:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.find(s), nil
}

func (t *table) await(ctx context.Context, s []bridge.Subject) ([]part, error) {
	select {
	case <-t.loaded:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p, _ := t.classify(s)
	return p, nil
}
