package catalog

import (
	"slices"
	"strings"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Needs determine the permissions of the bridge's own user at NATS.
type Needs struct {
	Read    []bridge.Subject // what callers may read
	Write   []bridge.Subject // what callers may write, and what the bridge publishes itself
	Agents  []bridge.Subject // where the bridge lists agents, and answers their queries
	History History
	API     string // see Config.API

	Presence bool   // the bridge keeps bridge.PresenceBucket
	Service  string // the name of the micro service that the bridge is; "" for none
}

// Permissions are the subjects that NATS must allow to the bridge's user: every subject that the bridge uses, and no others.
type Permissions struct {
	Publish, Subscribe []Permission
	Responses          string // the purpose of answering requests wherever they ask to (allow_responses); "" if that is not needed
	API                string // see Config.API
}

// Permission is a group of subjects with one purpose.
type Permission struct {
	For      string // the purpose: "to …"
	Subjects []string
}

// anyStream stands for streams with unknown names.
const anyStream = "*"

// Permissions returns the permissions that suffice for any streams.
func (n Needs) Permissions() Permissions {
	return n.anywhere("it is not known which there are").permissions(n, js.API{Prefix: n.API}, js.InboxPrefix)
}

// The bucket of members, as a stream.
const (
	presenceStream = "KV_" + bridge.PresenceBucket
	presenceFilter = bridge.Subject("$KV." + bridge.PresenceBucket + ".>")
)

// reach is how the bridge uses streams.
type reach struct {
	streams []string // the streams that it reads
	why     string   // why anyStream is among streams
	own     []string // of its own streams, those that exist
	bucket  bool     // bridge.PresenceBucket exists
}

func (n Needs) anywhere(why string) reach {
	if len(n.Read) == 0 {
		return reach{}
	}
	return reach{streams: []string{anyStream}, why: why}
}

// reach returns the streams that serve what is read. If a later stream may serve some of it, its name is unknown.
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
	for _, keep := range n.History.streams() {
		if s.Get(keep.Stream) != nil {
			r.own = append(r.own, keep.Stream)
		}
	}
	r.bucket = s.Get(presenceStream) != nil
	return r
}

// serving returns the streams that serve a part of a filter, and whether no other stream can: JetStream refuses overlapping
// subjects of two streams.
func (s *Streams) serving(filter bridge.Subject, keep History) (names []string, whole bool) {
	whole = s.covering(filter) != nil
	for _, stream := range s.overlapping(filter) {
		if stream.Untapped() == "" {
			names = append(names, stream.Name())
		}
	}
	for _, keep := range keep.streams() {
		if s.willMake(keep) && slices.ContainsFunc(keep.Subjects, filter.Overlaps) {
			names = append(names, keep.Stream)
			whole = slices.ContainsFunc(keep.Subjects, func(kept bridge.Subject) bool { return kept.Covers(filter) })
		}
	}
	return names, whole
}

// willMake reports whether Tailwater's own stream is missing and can be made.
func (s *Streams) willMake(keep History) bool {
	if s.Get(keep.Stream) != nil || len(s.silent)+len(s.hidden) > 0 {
		return false
	}
	return !slices.ContainsFunc(keep.Subjects, func(kept bridge.Subject) bool { return len(s.overlapping(kept)) > 0 })
}

// permissions is the one place that lists the needs of the bridge's user.
func (r reach) permissions(n Needs, a js.API, inbox string) Permissions {
	p := Permissions{API: a.Prefix}
	publish := func(to string, subjects ...string) { p.Publish = append(p.Publish, Permission{to, subjects}) }
	subscribe := func(to string, subjects ...string) { p.Subscribe = append(p.Subscribe, Permission{to, subjects}) }

	if len(n.Write) > 0 {
		publish("to publish what callers may write, and the bridge's own messages", plain(n.Write)...)
	}
	if len(n.Agents) > 0 {
		publish("to list agents, or to answer what they ask; those who use the same NATS should have inboxes of their own", plain(n.Agents)...)
	}
	publish("to list and describe streams", a.Subject(js.AskNames), a.Subject(js.AskInfo+anyStream))
	for _, keep := range n.History.streams() {
		if len(keep.Subjects) > 0 && !slices.Contains(r.own, keep.Stream) {
			publish("to make the stream of TAILWATER_HISTORY; not needed once it exists", a.Subject(js.AskCreate+keep.Stream))
		}
	}
	if n.Presence {
		publish("to store who is here, for TAILWATER_PRESENCE", string(presenceFilter))
		if !r.bucket {
			publish("to make the bucket for that; not needed once it exists", a.Subject(js.AskCreate+presenceStream))
		}
	}
	for _, stream := range r.streams {
		to := "to read the stream " + stream
		if stream == anyStream {
			to = "to read streams of any name: " + r.why
		}
		publish(to, a.Reading(stream)...)
	}
	if len(n.Read) > 0 {
		subscribe("to read subjects without a stream, or whose stream was deleted", plain(n.Read)...)
	}
	subscribe("to be notified of changes to streams", advisorySubjects)
	subscribe("to receive answers, and messages of streams", inbox+".>")
	if n.Service != "" {
		subscribe("to be a micro service, for TAILWATER_NATS_SERVICE; who may publish to the last may end connections, and stop bridges", js.ServiceFilters(n.Service)...)
		p.Responses = "to answer as a micro service"
	}
	return p
}

func plain(subjects []bridge.Subject) []string {
	var all []string
	for _, subject := range bridge.Reduce(subjects) {
		all = append(all, string(subject))
	}
	return all
}

// allow returns what the bridge's user must be allowed so that it can read streams.
func (t *Table) allow() string {
	p := reach{streams: []string{anyStream}}.permissions(Needs{History: t.config.History}, t.api, t.api.NATS().Opts.InboxPrefix)
	return "allow its user to publish to " + list(p.Publish) + " and subscribe to " + list(p.Subscribe)
}

func list(permissions []Permission) string {
	var subjects []string
	for _, p := range permissions {
		subjects = append(subjects, p.Subjects...)
	}
	return strings.Join(subjects, ", ")
}
