package history

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// History reads one life of a stream. It implements bridge.Log, but for Last.
type History struct {
	reads     *js.Conn // for long reads
	api       js.API   // on the main connection
	name      string
	epoch     string
	created   time.Time
	decoder   atomic.Pointer[js.Decoder]    // has the stream's configuration, as it was last read
	counts    memo[bridge.Subject, *count]  // by filter: a server needs time for each subject to count them all, and every page needs the count
	many      memo[string, <-chan struct{}] // the sets of filters with too many subjects for one direct get; see isMany
	sweeps    sweeps
	consumers chan struct{}
}

// New returns the History of a stream, which works while alive.
func New(alive context.Context, reads *js.Conn, api js.API, of *jetstream.StreamInfo, epoch string, told js.Oddities) *History {
	h := &History{
		reads: reads, api: api, name: of.Config.Name, epoch: epoch, created: of.Created,
		consumers: make(chan struct{}, historyConsumers),
	}
	h.sweeps.alive = alive
	h.decoder.Store(&js.Decoder{Config: &of.Config, Oddities: told})
	return h
}

// Decoder returns the decoder of the stream's messages.
func (h *History) Decoder() *js.Decoder { return h.decoder.Load() }

// Update applies a change of the stream's configuration.
func (h *History) Update(config *jetstream.StreamConfig) {
	h.decoder.Store(&js.Decoder{Config: config, Oddities: h.Decoder().Oddities})
}

// ErrOtherStream means that the stream of that name was deleted or replaced.
var ErrOtherStream = errors.New("the stream was deleted or made anew")

// merge puts the results of several filters into one order, each message once, up to a sequence.
func merge(all []js.Entry, through uint64) []js.Entry {
	all = slices.DeleteFunc(all, func(e js.Entry) bool { return e.Seq > through })
	slices.SortFunc(all, func(a, b js.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return slices.CompactFunc(all, func(a, b js.Entry) bool { return a.Seq == b.Seq })
}

func (h *History) decode(all []js.Entry) []*bridge.Message {
	decoder := h.Decoder()
	messages := make([]*bridge.Message, 0, len(all))
	for _, e := range all {
		if m := decoder.Decode(e, bridge.Position{Epoch: h.epoch, Seq: e.Seq, Time: e.Time}); m != nil {
			messages = append(messages, m)
		}
	}
	return messages
}

func (h *History) batchOnce(ctx context.Context, request js.BatchGet) (js.Batch, error) {
	request.Batch, request.MaxBytes = cmp.Or(request.Batch, pageMessages), pageBytes
	on := h.conn()
	b, err := h.api.Batch(ctx, on, h.name, request)
	h.answered(on, err)
	return b, err
}

// answered records whether the connection for long reads is silent: it may stand still by itself.
func (h *History) answered(on *js.Conn, err error) {
	if on == h.reads {
		on.Link().Ask(h.name)(err)
	}
}

// get asks the leader for a message; the zero value if there is none.
func (h *History) get(ctx context.Context, ask js.MsgGet) (js.Entry, error) {
	return h.api.Stored(ctx, h.name, ask)
}

// info returns the state of the stream, which must not have been replaced. With a filter, it includes the number of messages on
// each matching subject: of the first hundred thousand.
func (h *History) info(ctx context.Context, filter bridge.Subject) (*jetstream.StreamInfo, error) {
	info, _, err := h.infoFrom(ctx, filter, 0)
	return info, err
}

// infoFrom is info with the counts from an offset on, in the order of the subjects; total is the number of subjects.
func (h *History) infoFrom(ctx context.Context, filter bridge.Subject, offset int) (info *jetstream.StreamInfo, total int, err error) {
	request := struct {
		Filter bridge.Subject `json:"subjects_filter,omitempty"`
		Offset int            `json:"offset,omitempty"`
	}{filter, offset}
	var answer struct {
		jetstream.StreamInfo
		Total int `json:"total"`
	}
	if err := h.api.Call(ctx, js.AskInfo+h.name, request, &answer); err != nil {
		return nil, 0, err
	}
	if !answer.Created.Equal(h.created) {
		return nil, 0, ErrOtherStream
	}
	return &answer.StreamInfo, answer.Total, nil
}

// next returns the sequence of the first message on the subjects from a sequence on, according to the leader; the highest
// possible one if there is none.
func (h *History) next(ctx context.Context, subjects []bridge.Subject, from uint64) (uint64, error) {
	var first uint64 = math.MaxUint64
	for _, subject := range subjects {
		found, err := h.get(ctx, js.MsgGet{Seq: from, NextFor: subject})
		if err != nil {
			return 0, err
		}
		if found.Seq > 0 {
			first = min(first, found.Seq)
		}
	}
	return first, nil
}

// conn returns the connection for long reads: the main one if there is no other, because an account may allow only one.
func (h *History) conn() *js.Conn {
	if h.reads.Link().IsUp() {
		return h.reads
	}
	return h.api.Conn
}

// canGet reports whether direct gets are possible.
func (h *History) canGet() bool {
	conn := h.conn()
	return h.Decoder().Config.AllowDirect && conn.CanGetBatches() &&
		!h.api.IsRefused(conn.Link().Ever(), h.api.Subject(js.AskDirect+h.name))
}
