package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Needs are what the permissions of the bridge's own user at NATS depend on.
type Needs struct {
	Read    []bridge.Subject // what callers may read
	Write   []bridge.Subject // what they may write, and what the bridge publishes itself
	History History
	API     string // see Config.API

	Presence bool // the bridge keeps bridge.PresenceBucket
}

// Permissions are the subjects that NATS must allow to the bridge's user: all that it uses, and no others.
type Permissions struct {
	Publish, Subscribe []Permission
	API                string // see Config.API
}

// Permission is for some subjects together.
type Permission struct {
	For      string // what they are needed for: "to …"
	Subjects []string
}

// anyStream stands for streams whose names are not known.
const anyStream = "*"

// Permissions gives what is needed with the streams that there are. It waits until JetStream has said which; the error
// means that it did not.
func (t *Table) Permissions(ctx context.Context, n Needs) (Permissions, error) {
	if _, err := t.Await(ctx, nil); err != nil {
		return Permissions{}, err
	}
	return t.Current().reach(n).permissions(n, t.api, t.api.Opts.InboxPrefix), nil
}

// Permissions gives what is needed whatever streams there are.
func (n Needs) Permissions() Permissions {
	return n.anywhere("it is not known which there are").permissions(n, js.API{Prefix: n.API}, js.InboxPrefix)
}

// The bucket of members, as JetStream has it.
const (
	presenceStream = "KV_" + bridge.PresenceBucket
	presenceFilter = bridge.Subject("$KV." + bridge.PresenceBucket + ".>")
)

// reach is what the bridge has to do with streams.
type reach struct {
	streams []string // that it reads
	why     string   // it may read anyStream
	own     bool     // the stream of its own is there
	bucket  bool     // bridge.PresenceBucket is there
}

func (n Needs) anywhere(why string) reach {
	if len(n.Read) == 0 {
		return reach{}
	}
	return reach{streams: []string{anyStream}, why: why}
}

// reach gives the streams that serve what is read. Where one may come to serve some of it, nobody knows its name.
func (s *Streams) reach(n Needs) reach {
	if s.absence.why != "" {
		return n.anywhere(s.absence.why)
	}
	var r reach
	var open []string
	for _, filter := range bridge.Reduce(n.Read) {
		names, whole := s.serving(filter, n.History)
		r.streams = append(r.streams, names...)
		if !whole {
			open = append(open, string(filter))
		}
	}
	if len(open) > 0 {
		r = n.anywhere("none holds all of " + strings.Join(open, ", ") + " yet; where one does, its name is enough")
	}
	if n.Presence && !slices.Contains(r.streams, anyStream) {
		r.streams = append(r.streams, presenceStream)
	}
	slices.Sort(r.streams)
	r.streams = slices.Compact(r.streams)
	r.own = s.Get(n.History.Stream) != nil
	r.bucket = s.Get(presenceStream) != nil
	return r
}

// serving gives the streams that serve a part of what a filter stands for, and whether no other one can come to: JetStream
// does not let the subjects of two streams overlap.
func (s *Streams) serving(filter bridge.Subject, keep History) (names []string, whole bool) {
	whole = s.covering(filter) != nil
	for _, stream := range s.overlapping(filter) {
		if stream.Untapped() == "" {
			names = append(names, stream.Name())
		}
	}
	if s.willMake(keep) && slices.ContainsFunc(keep.Subjects, filter.Overlaps) {
		names = append(names, keep.Stream)
		whole = slices.ContainsFunc(keep.Subjects, func(kept bridge.Subject) bool { return kept.Covers(filter) })
	}
	return names, whole
}

// willMake tells whether the stream of Tailwater's own is missing, and nothing stands in its way.
func (s *Streams) willMake(keep History) bool {
	if s.Get(keep.Stream) != nil || len(s.unread)+len(s.hidden) > 0 {
		return false
	}
	return !slices.ContainsFunc(keep.Subjects, func(kept bridge.Subject) bool { return len(s.overlapping(kept)) > 0 })
}

// permissions is the one place that says what the bridge's user needs.
func (r reach) permissions(n Needs, a js.API, inbox string) Permissions {
	p := Permissions{API: a.Prefix}
	publish := func(to string, subjects ...string) { p.Publish = append(p.Publish, Permission{to, subjects}) }
	subscribe := func(to string, subjects ...string) { p.Subscribe = append(p.Subscribe, Permission{to, subjects}) }

	if len(n.Write) > 0 {
		publish("to publish what callers may write, and what the bridge does of its own", plain(n.Write)...)
	}
	publish("to find out which streams there are", a.Subject(js.AskNames), a.Subject(js.AskInfo+anyStream))
	if len(n.History.Subjects) > 0 && !r.own {
		publish("to make the stream of TAILWATER_HISTORY; not needed any more once it is there", a.Subject(js.AskCreate+n.History.Stream))
	}
	if n.Presence {
		publish("to keep who is here, for TAILWATER_PRESENCE", string(presenceFilter))
		if !r.bucket {
			publish("to make the bucket of that; not needed any more once it is there", a.Subject(js.AskCreate+presenceStream))
		}
	}
	for _, stream := range r.streams {
		to := "to read the stream " + stream
		if stream == anyStream {
			to = "to read streams of any name: " + r.why
		}
		publish(to, a.Reading(stream)...)
	}
	if len(r.streams) > 0 {
		publish("to go on receiving", js.FlowControl)
	}
	if len(n.Read) > 0 {
		subscribe("to read what no stream holds, or none any more", plain(n.Read)...)
	}
	subscribe("to hear of changes to streams", advisorySubjects)
	subscribe("to get answers, and what streams hold", inbox+".>")
	return p
}

func plain(subjects []bridge.Subject) []string {
	var all []string
	for _, subject := range bridge.Reduce(subjects) {
		all = append(all, string(subject))
	}
	return all
}

// allow tells what to allow to the bridge's user so that it can read streams.
func (t *Table) allow() string {
	p := reach{streams: []string{anyStream}}.permissions(Needs{History: t.keep}, t.api, t.api.Opts.InboxPrefix)
	return "allow its user to publish to " + list(p.Publish) + " and subscribe to " + list(p.Subscribe)
}

func list(permissions []Permission) string {
	var subjects []string
	for _, p := range permissions {
		subjects = append(subjects, p.Subjects...)
	}
	return strings.Join(subjects, ", ")
}
