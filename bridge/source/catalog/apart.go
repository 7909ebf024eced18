package catalog

// Which stream of Tailwater's own holds what.

import (
	"context"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Apart gives some of a history's subjects a stream of their own, with the same settings but its size: however many messages these
// subjects have, they take no other message's place. The zero value keeps all subjects in one stream.
type Apart struct {
	Token    string // the first token of these subjects; if empty, no subject has it
	Stream   string // the name of their stream
	MaxBytes int64  // 0 for no limit
	Shrinks  bool   // see History
}

// Settings of sizes.
const (
	historySize = "TAILWATER_HISTORY_MAX_BYTES"
	answersSize = "TAILWATER_ANSWERS_MAX_BYTES"
)

// streams returns the history of each stream of Tailwater's own: one, or two, of which one may have no subjects.
func (h History) streams() []History {
	h.size = historySize
	if h.Apart.Stream == "" {
		return []History{h}
	}
	apart, subjects := h, h.Subjects
	apart.Stream, apart.MaxBytes, apart.Shrinks, apart.size = h.Apart.Stream, h.Apart.MaxBytes, h.Apart.Shrinks, answersSize
	apart.isApart = true
	h.Subjects, apart.Subjects = nil, nil
	for _, subject := range subjects {
		if h.StreamOf(subject) == apart.Stream {
			apart.Subjects = append(apart.Subjects, subject)
		} else {
			h.Subjects = append(h.Subjects, subject)
		}
	}
	return []History{h, apart}
}

// StreamOf returns the name of the stream that shall hold one of the subjects, or a part of one.
func (h History) StreamOf(filter bridge.Subject) string {
	if first, _, _ := strings.Cut(string(filter), "."); h.Apart.Stream != "" && first == h.Apart.Token {
		return h.Apart.Stream
	}
	return h.Stream
}

// release makes streams of Tailwater's own give up the subjects that another of them shall hold, because JetStream refuses
// overlaps: an earlier version, or earlier settings, may have kept them elsewhere. A stream without subjects gives up all. Stored
// messages stay where they are.
func (t *Table) release(ctx context.Context) error {
	for i, keep := range t.keep {
		var info jetstream.StreamInfo
		switch err := t.api.Call(ctx, js.AskInfo+keep.Stream, nil, &info); {
		case isNotFound(err):
			continue
		case err != nil:
			return err
		}
		if keep.isApart && !isOurs(&info.Config) {
			continue
		}
		config := info.Config
		config.Subjects = slices.DeleteFunc(slices.Clone(config.Subjects), func(held string) bool { return t.belongsElsewhere(bridge.Subject(held), i) })
		if len(config.Subjects) == 0 {
			config.Subjects = []string{config.Name} // every stream has a subject
		}
		if slices.Equal(config.Subjects, info.Config.Subjects) {
			continue
		}
		if err := t.api.Call(ctx, js.AskUpdate+keep.Stream, config, nil); err != nil {
			return err
		}
		t.log.Info("the stream "+keep.Stream+" has given up subjects; their stored messages stay in it", "had", info.Config.Subjects, "has", config.Subjects)
	}
	return nil
}

// belongsElsewhere reports whether the i-th stream must give up a subject.
func (t *Table) belongsElsewhere(held bridge.Subject, i int) bool {
	if len(t.keep[i].Subjects) == 0 {
		return true
	}
	for other, keep := range t.keep {
		if other != i && slices.ContainsFunc(keep.Subjects, held.Overlaps) {
			return true
		}
	}
	return false
}
