package source

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

// stream is one life of a JetStream stream, as it was last read. It is not changed; what changes is a new value.
type stream struct {
	info  jetstream.StreamInfo
	epoch string
}

func (s *stream) name() string { return s.info.Config.Name }

// covers tells whether one of the stream's subjects takes all that a filter stands for.
func (s *stream) covers(filter bridge.Subject) bool {
	return slices.ContainsFunc(s.info.Config.Subjects, func(subject string) bool { return bridge.Subject(subject).Covers(filter) })
}

// untapped says why feeds cannot be served from a stream whose subjects cover theirs; "" if they can.
func (s *stream) untapped() string {
	config := &s.info.Config
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
func (s *stream) like(other *stream) bool {
	return s.epoch == other.epoch && reflect.DeepEqual(s.info.Config, other.info.Config)
}

// streams is what the table of streams has read. It is not changed.
type streams struct {
	readings
	link    *js.Link // on which this was found out, or on which nothing newer could be
	absence absence

	byFirst map[string][]subjectOf // the streams' subjects, by their first token
	wild    []subjectOf            // those that begin with a wildcard
}

// subjectOf is one of a stream's configured subjects. It may hold characters that the grammar of bridge.Subject refuses.
type subjectOf struct {
	subject bridge.Subject
	stream  *stream
}

// absence is why there are no streams, as far as the bridge can know.
type absence struct {
	why    string // "" where there is JetStream
	remedy string
}

// mayEnd tells whether JetStream may be there any moment. A refusal does not end but by the hand of an administrator.
func (a absence) mayEnd() bool { return a.why != "" && a.remedy == "" }

func newStreams(link *js.Link, r readings) *streams {
	slices.SortFunc(r.streams, func(x, y *stream) int { return cmp.Compare(x.name(), y.name()) })
	slices.Sort(r.unread)
	slices.Sort(r.hidden)
	s := &streams{readings: r, link: link, byFirst: map[string][]subjectOf{}}
	for _, stream := range r.streams {
		for _, subject := range stream.info.Config.Subjects {
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
func (s *streams) covering(filter bridge.Subject) *stream {
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
func (s *streams) overlapping(filter bridge.Subject) []*stream {
	var found []*stream
	for _, stream := range s.streams {
		if slices.ContainsFunc(stream.info.Config.Subjects, func(subject string) bool { return bridge.Subject(subject).Overlaps(filter) }) {
			found = append(found, stream)
		}
	}
	return found
}

// get gives the stream of that name.
func (s *streams) get(name string) *stream {
	if s == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(s.streams, name, func(x *stream, name string) int { return cmp.Compare(x.name(), name) })
	if !found {
		return nil
	}
	return s.streams[i]
}

// like tells whether feeds have nothing to learn from the difference.
func (s *streams) like(other *streams) bool {
	return other != nil && s.absence == other.absence && slices.Equal(s.unread, other.unread) && slices.EqualFunc(s.streams, other.streams, (*stream).like)
}

// reason says why no stream serves a filter; "" if one does.
func (s *streams) reason(filter bridge.Subject) string {
	if s.absence.why != "" {
		return s.absence.why
	}
	if covering := s.covering(filter); covering != nil {
		return covering.untapped()
	}
	switch overlapping := s.overlapping(filter); len(overlapping) {
	case 0:
		return "no stream holds it"
	case 1:
		return fmt.Sprintf("the stream %s holds a part of it only", overlapping[0].name())
	default:
		return fmt.Sprintf("the streams %s hold parts of it; none holds all", strings.Join(names(overlapping), ", "))
	}
}

func names(of []*stream) []string {
	all := make([]string, len(of))
	for i, s := range of {
		all[i] = s.name()
	}
	return all
}
