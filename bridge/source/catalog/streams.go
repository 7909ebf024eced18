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

// Stream is one life of a JetStream stream, as it was last read. It is not changed; what changes is a new value.
type Stream struct {
	Info  jetstream.StreamInfo
	Epoch string
}

// Name returns the stream's name.
func (s *Stream) Name() string { return s.Info.Config.Name }

// covers tells whether one of the stream's subjects takes all that a filter stands for.
func (s *Stream) covers(filter bridge.Subject) bool {
	return slices.ContainsFunc(s.Info.Config.Subjects, func(subject string) bool { return bridge.Subject(subject).Covers(filter) })
}

// Untapped says why feeds cannot be served from a stream whose subjects cover theirs; "" if they can.
func (s *Stream) Untapped() string {
	config := &s.Info.Config
	switch {
	case config.Mirror != nil:
		return "the stream " + config.Name + " is a mirror"
	case config.Retention == jetstream.WorkQueuePolicy:
		return "the stream " + config.Name + " is a work queue, which gives each message to one reader only"
	case config.Retention == jetstream.InterestPolicy:
		return "the stream " + config.Name + " keeps messages only until its consumers have taken them"
	case config.NoAck:
		return "the stream " + config.Name + " does not acknowledge what it stores"
	case config.SubjectTransform != nil:
		return "the stream " + config.Name + " stores messages under other subjects than those they were published on"
	default:
		return ""
	}
}

// like tells whether nothing but messages has changed between two readings of a stream.
func (s *Stream) like(other *Stream) bool {
	return s.Epoch == other.Epoch && reflect.DeepEqual(s.Info.Config, other.Info.Config)
}

// Streams is what the table of streams has read. It is not changed.
type Streams struct {
	readings
	link    *js.Link // on which this was found out, or on which nothing newer could be
	absence absence

	byFirst map[string][]subjectOf // the streams' subjects, by their first token
	wild    []subjectOf            // those that begin with a wildcard
}

// subjectOf is one of a stream's configured subjects. It may hold characters that the grammar of bridge.Subject refuses.
type subjectOf struct {
	subject bridge.Subject
	stream  *Stream
}

// absence is why there are no streams, as far as the bridge can know.
type absence struct {
	why    string // "" where there is JetStream
	remedy string
}

// mayEnd tells whether JetStream may be there any moment. A refusal does not end but by the hand of an administrator.
func (a absence) mayEnd() bool { return a.why != "" && a.remedy == "" }

func newStreams(link *js.Link, r readings) *Streams {
	slices.SortFunc(r.streams, func(x, y *Stream) int { return cmp.Compare(x.Name(), y.Name()) })
	slices.Sort(r.unread)
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

// covering gives the stream that takes everything that is published on the subjects that filter stands for. There is at
// most one: JetStream does not let the subjects of two streams overlap.
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

// overlapping gives the streams that take something of what filter stands for.
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

// like tells whether feeds have nothing to learn from the difference.
func (s *Streams) like(other *Streams) bool {
	return other != nil && s.absence == other.absence && slices.Equal(s.unread, other.unread) && slices.EqualFunc(s.streams, other.streams, (*Stream).like)
}

// Reason says why no stream serves a filter; "" if one does.
func (s *Streams) Reason(filter bridge.Subject) string {
	if s.absence.why != "" {
		return s.absence.why
	}
	if covering := s.covering(filter); covering != nil {
		return covering.Untapped()
	}
	switch overlapping := s.overlapping(filter); len(overlapping) {
	case 0:
		return "no stream holds it"
	case 1:
		return fmt.Sprintf("the stream %s holds a part of it only", overlapping[0].Name())
	default:
		return fmt.Sprintf("the streams %s hold parts of it; none holds all", strings.Join(names(overlapping), ", "))
	}
}

func names(of []*Stream) []string {
	all := make([]string, len(of))
	for i, s := range of {
		all[i] = s.Name()
	}
	return all
}
