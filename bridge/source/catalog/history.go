package catalog

// What the settings ask of Tailwater's own streams.

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// History describes the streams that Tailwater makes for itself: one, and another for subjects apart. The zero value makes none.
type History struct {
	Subjects      []bridge.Subject // if empty, existing streams are left as they are, with their messages
	Stream        string           // its name
	MaxAge        time.Duration    // 0 for no limit, as for the next two
	MaxBytes      int64
	Shrinks       bool // MaxBytes is a default: if there is less room, the stream is smaller
	MaxPerSubject int64
	Replicas      int
	Memory        bool // memory instead of files; cannot be changed later
	Look          bool // make and change nothing
	Manage        bool // change the stream to these settings at each connection; otherwise it is only made if missing
	Apart         Apart

	size    string // the setting of MaxBytes
	isApart bool   // its name is derived from that of the first stream
}

// duplicateWindow is how long Tailwater's own stream recognizes a Nats-Msg-Id.
const duplicateWindow = 2 * time.Minute

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

// isManaged reports whether existing streams are changed to the settings.
func (h History) isManaged() bool { return h.Manage && !h.Look }

// description tells Tailwater's own streams.
const description = "The history of Tailwater, see TAILWATER_HISTORY"

func isOurs(config *jetstream.StreamConfig) bool { return config.Description == description }

// applyTo returns the configuration with everything that the settings decide, except storage, which cannot be changed.
//
// AllowMsgTTL is left as it is: it cannot be turned off again, and every publisher could use it.
func (h History) applyTo(config jetstream.StreamConfig) jetstream.StreamConfig {
	config.Duplicates = h.duplicates(&config)
	config.Subjects = h.subjects()
	config.Retention, config.Discard, config.DiscardNewPerSubject = jetstream.LimitsPolicy, jetstream.DiscardOld, false
	config.MaxAge = h.MaxAge
	config.MaxBytes = cmp.Or(h.MaxBytes, -1)
	config.MaxMsgsPerSubject = cmp.Or(h.MaxPerSubject, -1)
	config.Replicas = max(h.Replicas, 1)
	config.NoAck, config.AllowDirect = false, true
	return config
}

// subjects returns the subjects as nats.go expects them, in order.
func (h History) subjects() []string {
	subjects := make([]string, len(h.Subjects))
	for i, s := range h.Subjects {
		subjects[i] = string(s)
	}
	slices.Sort(subjects)
	return subjects
}

// duplicates returns the window for duplicates: the present one or the default, limited by the age.
func (h History) duplicates(had *jetstream.StreamConfig) time.Duration {
	window := cmp.Or(had.Duplicates, duplicateWindow)
	if h.MaxAge > 0 {
		window = min(window, h.MaxAge)
	}
	return window
}
