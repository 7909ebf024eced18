package live

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/micro"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
)

// Service describes a bridge as a micro service of NATS (ADR-32), for nats micro ls, info and stats.
//
// It answers requests on subjects that begin with $TAILWATER.<Name>: connections and kick on every bridge, drain.<id> on the bridge with that
// id. Whoever NATS allows to publish there may end connections and stop bridges; no caller of the bridge can.
type Service struct {
	Name     string // one word; the same for all bridges that are asked together
	Version  string // as semver.org has it
	Metadata map[string]string
	Drain    func() // starts to stop the program, and returns; nil if nobody may ask for that
}

// Offer makes the bridge a micro service until it is closed. Where NATS does not allow it, the log says so.
func (b *Bridge) Offer(s Service) error {
	from, _ := b.keeper() // on a guarded server, only administrators are in this account
	return from.Offer(micro.Config{
		Name: s.Name, Version: s.Version, Metadata: s.Metadata, Description: "carries subjects to browsers", QueueGroupDisabled: true,
		StatsHandler: b.serviceStats,
	}, func(offered micro.Service) error { return b.offer(s, offered) })
}

// offer adds the endpoints of a service.
func (b *Bridge) offer(s Service, offered micro.Service) error {
	o := offer{bridge: b, id: offered.Info().ID}
	handlers := map[string]micro.HandlerFunc{endConnections: o.connections, endKick: o.kick}
	if s.Drain != nil {
		handlers[endDrain+"."+o.id] = o.drain(s.Drain)
	}
	for end, handler := range handlers {
		name, _, _ := strings.Cut(end, ".")
		subject := source.ServiceSubject(s.Name, end)
		if err := offered.AddEndpoint(name, asked(subject, handler), micro.WithEndpointSubject(subject)); err != nil {
			return err
		}
	}
	return nil
}

// The endpoints of a service.
const (
	endConnections = "connections"
	endKick        = "kick"
	endDrain       = "drain"
)

// serviceStats returns what nats micro stats shows of an endpoint beside its requests.
func (b *Bridge) serviceStats(e *micro.Endpoint) any {
	counts := b.connectionCounts()
	switch e.Name {
	case endKick:
		return map[string]uint64{"kicked": counts.Ended[bridge.CloseKick]}
	case endDrain:
		return map[string]bool{"draining": b.draining.Load()}
	}
	return counts
}

// offer answers the requests to a service.
type offer struct {
	bridge *Bridge
	id     string // of the service's instance
}

func (o offer) answer(r micro.Request, with any) { o.sent(r, r.RespondJSON(with)) }

// refuse answers that a request is invalid.
func (o offer) refuse(r micro.Request, problem error) {
	o.sent(r, r.Error("400", problem.Error(), nil))
}

func (o offer) sent(r micro.Request, err error) {
	if err != nil {
		o.bridge.options.Log.Debug("cannot answer a request to the service", "subject", r.Subject(), "error", err)
	}
}

type drainAnswer struct {
	ID       string `json:"id"`
	Draining bool   `json:"draining"`
}

// drain returns what answers a request to stop.
func (o offer) drain(start func()) micro.HandlerFunc {
	return func(r micro.Request) {
		o.bridge.options.Log.Warn("asked over NATS to stop this bridge")
		o.answer(r, drainAnswer{ID: o.id, Draining: true})
		start()
	}
}

// connectionCounts are the totals of a bridge.
type connectionCounts struct {
	Open   int               `json:"open"`
	Opened uint64            `json:"opened"`
	Ended  map[string]uint64 `json:"ended"` // by reason
	Events uint64            `json:"events"`
	Bytes  uint64            `json:"bytes"`
}

func (b *Bridge) connectionCounts() connectionCounts {
	s := b.outlet.Stats()
	return connectionCounts{Open: s.Open, Opened: s.Opened, Ended: s.Ended, Events: s.Frames, Bytes: s.Bytes}
}

// connectionsAnswer says who reads what on one bridge.
type connectionsAnswer struct {
	ID       string `json:"id"`
	Draining bool   `json:"draining"`
	connectionCounts
	Callers   int             `json:"callers"`   // different ones that have signed in
	Addresses int             `json:"addresses"` // different ones
	Subjects  []subjectCounts `json:"subjects"`  // those with the most connections
	More      int             `json:"more"`      // subjects beyond these
}

type subjectCounts struct {
	Subject     bridge.Subject `json:"subject"`
	Connections int            `json:"connections"`
}

// mostSubjects is how many subjects an answer names, so that it is never too large for NATS.
const mostSubjects = 100

func (o offer) connections(r micro.Request) {
	b := o.bridge
	answer := connectionsAnswer{ID: o.id, Draining: b.draining.Load(), connectionCounts: b.connectionCounts()}
	counts, callers, addresses := map[bridge.Subject]int{}, map[string]struct{}{}, map[netip.Addr]struct{}{}
	type connection struct {
		of       bridge.Lifetime
		subjects []bridge.Subject
	}
	var all []connection // counted when no event loop waits for it
	b.outlet.Each(func(of bridge.Lifetime, subjects []bridge.Subject) { all = append(all, connection{of, subjects}) })
	for _, c := range all {
		for _, subject := range c.subjects {
			if !strings.HasPrefix(string(subject), membersPrefix) {
				counts[subject]++
			}
		}
		if c.of.Caller != "" {
			callers[c.of.Caller] = struct{}{}
		}
		addresses[c.of.Address] = struct{}{}
	}
	answer.Callers, answer.Addresses = len(callers), len(addresses)
	subjects := slices.SortedFunc(maps.Keys(counts), func(x, y bridge.Subject) int {
		return cmp.Or(counts[y]-counts[x], strings.Compare(string(x), string(y)))
	})
	answer.More = max(0, len(subjects)-mostSubjects)
	answer.Subjects = make([]subjectCounts, 0, mostSubjects)
	for _, subject := range subjects[:len(subjects)-answer.More] {
		answer.Subjects = append(answer.Subjects, subjectCounts{subject, counts[subject]})
	}
	o.answer(r, answer)
}

// membersPrefix begins what a connection with ?presence=1 reads beside its subjects.
var membersPrefix = string(bridge.PresenceOf(""))

// kickRequest says whose connections to end: those to which everything that is set applies.
type kickRequest struct {
	Caller  *string `json:"caller"`  // the sub of a token
	Subject *string `json:"subject"` // of which the connection reads something; a subject or filter
	Address *string `json:"address"` // an address, or a network such as 10.0.0.0/8
}

type kickAnswer struct {
	ID     string `json:"id"`
	Kicked int    `json:"kicked"`
}

func (o offer) kick(r micro.Request) {
	matches, err := parseKick(r.Data())
	if err != nil {
		o.refuse(r, err)
		return
	}
	kicked := o.bridge.outlet.Kick(matches)
	o.bridge.options.Log.Info("ended connections, as asked over NATS", "whose", string(r.Data()), "kicked", kicked)
	o.answer(r, kickAnswer{o.id, kicked})
}

// errKick says what a request to end connections looks like.
var errKick = errors.New(`write whose connections to end, as JSON: {"caller":"alice"}, {"subject":"chat.room1"}, {"address":"10.0.0.7"}, or several of these, which all have to apply`)

// parseKick returns what a request to end connections asks for.
func parseKick(data []byte) (matches func(bridge.Lifetime, []bridge.Subject) bool, err error) {
	var asked kickRequest
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&asked) != nil || asked == (kickRequest{}) {
		return nil, errKick
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errKick
	}
	if asked.Caller != nil && *asked.Caller == "" { // perhaps a script's empty variable; others have no name either
		return nil, errKick
	}
	var within netip.Prefix
	if asked.Address != nil {
		if within, err = parseNetwork(*asked.Address); err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network; %w", *asked.Address, errKick)
		}
	}
	var subject bridge.Subject
	if asked.Subject != nil {
		if subject, err = bridge.ParseSubject(*asked.Subject); err != nil {
			return nil, fmt.Errorf("%w; %w", err, errKick)
		}
	}
	return func(of bridge.Lifetime, subjects []bridge.Subject) bool {
		return (asked.Caller == nil || of.Caller == *asked.Caller) &&
			(asked.Address == nil || within.Contains(of.Address)) &&
			(asked.Subject == nil || slices.ContainsFunc(subjects, subject.Overlaps))
	}, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Unmap().Prefix(address.Unmap().BitLen())
	}
	return netip.ParsePrefix(text)
}

// asked passes on what somebody has published as a request. What somebody else was made to answer there is none: it has no reply subject, and
// what a stream delivers has another subject.
func asked(subject string, handler micro.HandlerFunc) micro.HandlerFunc {
	return func(r micro.Request) {
		if r.Reply() != "" && r.Subject() == subject {
			handler(r)
		}
	}
}
