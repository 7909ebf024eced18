package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Holding is the origin of a filter's messages, and the findings about it.
type Holding struct {
	Filter   bridge.Subject
	Stream   string // the stream that serves it; "" if it is served without history
	Why      string // the reason, if no stream serves it; else ""
	Findings []Finding
}

// Finding is something that is missing or should be repaired.
type Finding struct {
	Problem string
	Remedy  string // a command line, a setting, or another repair; may be ""
	Refused bool   // NATS refuses something that the bridge needs: until that is repaired, the promises do not hold
}

// Explain returns, for each filter, the stream that serves it, or why none does, and what to repair. A finding about several
// filters is reported with the first. readable is what callers may read: NATS must allow the bridge to subscribe to that, and no
// more. Explain waits until the account's streams are known; the error means that they are not.
func (t *Table) Explain(ctx context.Context, filters, readable []bridge.Subject) ([]Holding, error) {
	if _, err := t.Await(ctx, nil); err != nil {
		return nil, err
	}
	e := explanation{table: t, readable: readable, said: map[string]bool{}}
	for _, filter := range filters {
		if err := e.explain(ctx, filter); err != nil {
			return nil, fmt.Errorf("look up what holds %s: %w", filter, err)
		}
	}
	return e.holdings, nil
}

func (e *explanation) explain(ctx context.Context, filter bridge.Subject) error {
	now := e.table.Current()
	h := Holding{Filter: filter, Why: now.Reason(filter)}
	holder := now.covering(filter)
	switch {
	case now.absence.why != "":
		if now.absence.remedy != "" {
			e.refused(&h, now.absence.why, now.absence.remedy)
		}
		fallthrough
	case holder == nil:
		if err := e.unheld(ctx, now, &h); err != nil {
			return err
		}
	default:
		if h.Why == "" {
			h.Stream = holder.Name()
		}
		e.inspect(&h, holder)
	}
	isReadable := slices.ContainsFunc(e.readable, func(r bridge.Subject) bool { return r.Covers(filter) })
	for i := range e.table.keep {
		if err := e.ownStream(ctx, &h, now, i); err != nil {
			return err
		}
	}
	switch {
	case !isReadable:
	case h.Stream == "":
		e.permitted(&h, "read "+string(filter), e.table.refusedSubscription(ctx, filter))
	default:
		refused := e.table.refusedRequests(ctx, e.table.api.Reading(h.Stream)...)
		e.permitted(&h, "read the stream "+h.Stream, refused)
		if by := e.table.consumable(ctx, holder); len(refused) == 0 && by.Why != "" {
			e.add(&h, Finding{Problem: by.Why + "; its messages are passed on as they arrive, without history", Remedy: by.Remedy, Refused: true})
		}
	}
	if now.link.Ever().SubscribeRefused(advisorySubjects) {
		e.refused(&h, "NATS does not let this bridge receive changes to streams; it notices them within "+tableInterval.String(),
			"allow its user to subscribe to "+advisorySubjects)
	}
	e.holdings = append(e.holdings, h)
	return nil
}

// unheld explains a filter that is not held completely by any stream that could be read.
func (e *explanation) unheld(ctx context.Context, now *Streams, h *Holding) error {
	if len(now.silent)+len(now.hidden) > 0 {
		overlapping, err := e.table.List(ctx, h.Filter)
		if err != nil {
			return err
		}
		for _, name := range overlapping {
			switch {
			case slices.Contains(now.silent, name):
				h.Why = "the stream " + name + " may hold it, and does not answer"
				e.find(h, "the stream "+name+" does not answer; readers of what it may hold wait for it", e.table.api.Command("stream", "info", name))
			case slices.Contains(now.hidden, name):
				h.Why = "NATS does not let this bridge look at the stream " + name + ", which may hold it"
				e.refused(h, h.Why, e.table.allow())
			}
		}
	}
	switch overlapping := now.overlapping(h.Filter); {
	case len(overlapping) == 1:
		if remedy := e.widen(overlapping[0], h.Filter); remedy != "" {
			e.find(h, h.Why, remedy)
		}
	case len(overlapping)+len(now.silent)+len(now.hidden) == 0 && now.absence.why == "":
		if name := bucketOf(h.Filter); name != "" {
			e.find(h, "there is no bucket "+name, e.table.api.Command("kv", "add", name))
		}
	}
	return nil
}

// ownStream adds the problems of one of Tailwater's own streams, including why it cannot be made.
func (e *explanation) ownStream(ctx context.Context, h *Holding, now *Streams, i int) error {
	keep := e.table.keep[i]
	if !slices.ContainsFunc(keep.Subjects, func(s bridge.Subject) bool { return s.Overlaps(h.Filter) }) {
		return nil
	}
	switch {
	case now.absence.mayEnd():
		gone := keep.absent(now.absence)
		e.refused(h, gone.problem, gone.remedy)
		return nil
	case now.absence.why != "": // reported already
		return nil
	case keep.Look && now.willMake(keep):
		e.permitted(h, "make the stream "+keep.Stream, e.table.refusedRequests(ctx, e.table.api.Subject(js.AskCreate+keep.Stream)))
		e.permitted(h, "read the stream "+keep.Stream, e.table.refusedRequests(ctx, e.table.api.Reading(keep.Stream)...))
		return nil
	case keep.Look && now.Get(keep.Stream) == nil && len(now.silent)+len(now.hidden) == 0:
		outdone, err := e.table.outdone(ctx, keep)
		if err != nil {
			return err
		}
		e.find(h, outdone.problem, outdone.remedy)
		return nil
	}
	e.table.mu.Lock()
	found := e.table.own[i]
	e.table.mu.Unlock()
	if s := now.Get(keep.Stream); s != nil && !keep.Manage {
		found = keep.compare(&s.Info, e.table.api) // its present state
	}
	if found.problem != "" {
		e.find(h, found.problem, found.remedy)
	}
	return nil
}

// refusedRequests returns which requests NATS refuses to this bridge. NATS checks permissions before it reads a
// request. Nobody answers a message without a reply subject, and no stream is made of an empty one, so these requests have no
// effect but the refusal.
func (t *Table) refusedRequests(ctx context.Context, patterns ...string) (refused []string) {
	asked := t.api.Link().Now()
	probes := map[string]string{}
	for _, pattern := range patterns {
		probe := probing(pattern)
		if t.api.NATS().Publish(probe, nil) == nil {
			probes[probe] = pattern
		}
	}
	if !t.api.RoundTrip(ctx) {
		return nil
	}
	for probe, pattern := range probes {
		if t.api.IsRefused(asked, probe) {
			refused = append(refused, "publish to "+pattern)
		}
	}
	slices.Sort(refused)
	return refused
}

// probing returns an unused subject that a permission's pattern matches.
func probing(pattern string) string {
	const nobody = "tailwater-check"
	if begin := strings.TrimRight(pattern, "*>"); begin != pattern {
		return begin + nobody
	}
	return pattern
}

// refusedSubscription returns what NATS must allow so that this bridge can subscribe to a filter; nil if it can.
func (t *Table) refusedSubscription(ctx context.Context, filter bridge.Subject) (refused []string) {
	asked := t.api.Link().Now()
	sub, err := t.api.SubscribeFirst(string(filter))
	if err != nil {
		return nil
	}
	_ = sub.Unsubscribe()
	if !t.api.RoundTrip(ctx) {
		return nil
	}
	if asked.SubscribeRefused(string(filter)) {
		return []string{"subscribe to " + string(filter)}
	}
	return nil
}

// Permissions returns the permissions needed with the present streams. It waits until these are known; the error means that they
// are not.
func (t *Table) Permissions(ctx context.Context, n Needs) (Permissions, error) {
	if _, err := t.Await(ctx, nil); err != nil {
		return Permissions{}, err
	}
	return t.Current().reach(n).permissions(n, t.api, t.api.NATS().Opts.InboxPrefix), nil
}
