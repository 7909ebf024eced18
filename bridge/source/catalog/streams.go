package catalog

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Stream is one life of a JetStream stream, as it was last read. It is immutable; a change makes a new value.
type Stream struct {
	Info  jetstream.StreamInfo
	Epoch string
}

// Name returns the stream's name.
func (s *Stream) Name() string { return s.Info.Config.Name }

// covers reports whether one of the stream's subjects covers a filter completely.
func (s *Stream) covers(filter bridge.Subject) bool {
	return slices.ContainsFunc(s.Info.Config.Subjects, func(subject string) bool { return bridge.Subject(subject).Covers(filter) })
}

// Untapped returns why feeds cannot read from a stream that holds their subjects; "" if they can.
func (s *Stream) Untapped() string {
	config := &s.Info.Config
	switch {
	case config.Mirror != nil:
		return "the stream " + config.Name + " is a mirror"
	case config.Retention == jetstream.WorkQueuePolicy:
		return "the stream " + config.Name + " is a work queue, which delivers each message to one reader only"
	case config.Retention == jetstream.InterestPolicy:
		return "the stream " + config.Name + " keeps messages only until its consumers have acknowledged them"
	case config.NoAck:
		return "the stream " + config.Name + " does not acknowledge what it stores"
	case config.SubjectTransform != nil:
		return "the stream " + config.Name + " stores messages under other subjects than those they were published on"
	default:
		return ""
	}
}

// equals reports whether two readings of a stream differ in nothing but messages.
func (s *Stream) equals(other *Stream) bool {
	return s.Epoch == other.Epoch && reflect.DeepEqual(s.Info.Config, other.Info.Config)
}

// Streams is the result of reading the account's streams. It is immutable.
type Streams struct {
	readings
	link    *js.Link // the link that it is valid for
	isHeld  bool     // it was read on an earlier link: see Table.hold
	absence absence

	byFirst map[string][]subjectOf // the streams' subjects, by their first token
	wild    []subjectOf            // the subjects that begin with a wildcard
}

// subjectOf is one of a stream's configured subjects. It may contain characters that bridge.Subject refuses.
type subjectOf struct {
	subject bridge.Subject
	stream  *Stream
}

// absence is why there are no streams, according to the bridge.
type absence struct {
	why    string // "" if there is JetStream
	remedy string
	lost   *Streams // that there were; nil for none
}

// IsLost reports whether there were streams, and all are gone, with JetStream. It may be called on nil, which knows nothing.
func (s *Streams) IsLost() bool { return s != nil && s.absence.lost != nil }

// mayEnd reports whether JetStream may appear at any moment. A refusal ends only if an administrator changes it.
func (a absence) mayEnd() bool { return a.why != "" && a.remedy == "" }

func newStreams(link *js.Link, r readings) *Streams {
	slices.SortFunc(r.streams, func(x, y *Stream) int { return cmp.Compare(x.Name(), y.Name()) })
	slices.Sort(r.silent)
	slices.Sort(r.hidden)
	s := &Streams{readings: r, link: link, byFirst: map[string][]subjectOf{}}
	for _, stream := range r.streams {
		for _, subject := range stream.Info.Config.Subjects {
			entry := subjectOf{bridge.Subject(subject), stream}
			first, _, _ := strings.Cut(subject, ".")
			if first == "*" || first == ">" {
				s.wild = append(s.wild, entry)
			} else {
				s.byFirst[first] = append(s.byFirst[first], entry)
			}
		}
	}
	return s
}

// covering returns the stream that holds every subject of a filter; nil if there is none. At most one can: JetStream refuses
// overlapping subjects of two streams.
func (s *Streams) covering(filter bridge.Subject) *Stream {
	first, _, _ := strings.Cut(string(filter), ".")
	for _, entries := range [...][]subjectOf{s.byFirst[first], s.wild} {
		for _, entry := range entries {
			if entry.subject.Covers(filter) {
				return entry.stream
			}
		}
	}
	return nil
}

// overlapping returns the streams that hold some subjects of a filter.
func (s *Streams) overlapping(filter bridge.Subject) []*Stream {
	var found []*Stream
	for _, stream := range s.streams {
		if slices.ContainsFunc(stream.Info.Config.Subjects, func(subject string) bool { return bridge.Subject(subject).Overlaps(filter) }) {
			found = append(found, stream)
		}
	}
	return found
}

// Get returns the stream of that name; nil if there is none.
func (s *Streams) Get(name string) *Stream {
	if s == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(s.streams, name, func(x *Stream, name string) int { return cmp.Compare(x.Name(), name) })
	if !found {
		return nil
	}
	return s.streams[i]
}

// hides reports whether NATS refuses to describe a stream.
func (s *Streams) hides(name string) bool { return slices.Contains(s.hidden, name) }

// equals reports whether a difference is irrelevant to feeds.
func (s *Streams) equals(other *Streams) bool {
	return other != nil && s.absence == other.absence && slices.Equal(s.silent, other.silent) && slices.Equal(s.hidden, other.hidden) && slices.EqualFunc(s.streams, other.streams, (*Stream).equals)
}

// Reason returns why no stream serves a filter; "" if one does.
func (s *Streams) Reason(filter bridge.Subject) string {
	if s.absence.why != "" {
		return s.absence.why
	}
	if covering := s.covering(filter); covering != nil {
		return covering.Untapped()
	}
	var names []string
	for _, stream := range s.overlapping(filter) {
		names = append(names, stream.Name())
	}
	switch len(names) {
	case 0:
		return "no stream holds it"
	case 1:
		return fmt.Sprintf("the stream %s holds a part of it only", names[0])
	default:
		return fmt.Sprintf("the streams %s hold parts of it; none holds all", strings.Join(names, ", "))
	}
}
