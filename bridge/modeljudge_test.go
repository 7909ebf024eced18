package bridge_test

import (
	"fmt"
	"math"
	"slices"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

func (c *modelClient) judge(e bridgetest.Event) {
	id := c.parse(e.ID)
	parts := c.node.feed.parts
	if len(id) != len(parts) {
		c.fail("%+v has an id of %d positions, the feed has %d", e, len(id), len(parts))
	}
	for _, p := range parts {
		at, known := in(id, p.At.Epoch)
		if has := c.has[p.At.Epoch]; !known || c.opened && c.feed == c.node.feed && at.Seq < has {
			c.fail("%+v: its id goes back from %d in the part %s", e, has, p.At.Epoch)
		}
	}
	switch {
	case !c.opened:
		c.judgeOpening(e, id)
	case c.feed != c.node.feed:
		c.judgeMove(e, id)
	default:
		c.judgeEvent(e, id)
	}
	c.opened, c.feed = true, c.node.feed
	c.ids = append(c.ids, e.ID)
	clear(c.has)
	for _, at := range id {
		c.has[at.Epoch] = at.Seq
	}
}

// in returns the position of an id in an epoch.
func in(id bridge.ID, epoch string) (bridge.Position, bool) {
	for _, p := range id {
		if p.Epoch == epoch {
			return p, true
		}
	}
	return bridge.Position{}, false
}

func (c *modelClient) judgeEvent(e bridgetest.Event, id bridge.ID) {
	switch e.Type {
	case bridge.EventGap:
		c.judgeGap(e, id)
	case bridge.EventSynced:
		c.judgeSynced(e)
	case "message":
		for _, p := range c.node.feed.parts {
			at, _ := in(id, p.At.Epoch)
			except := uint64(0)
			if c.dataAt(p, at.Seq) == e.Data && at.Seq > c.has[at.Epoch] {
				except = at.Seq
				if asked, limited := c.asked[at.Epoch]; limited && c.synced == 0 && at.Seq > asked {
					c.fail("%+v comes before the replay up to %d is said to have ended", e, asked)
				}
				e.Data = ""
			}
			c.skips(e, p, c.has[at.Epoch], at.Seq, except)
		}
		if e.Data != "" {
			c.fail("%+v has an id at which there is something else, or comes again", e)
		}
		return
	default:
		c.fail("in the middle comes %+v", e)
	}
	for _, p := range c.node.feed.parts {
		at, _ := in(id, p.At.Epoch)
		if e.Type != bridge.EventGap || p.Log != nil {
			c.skips(e, p, c.has[at.Epoch], at.Seq, 0)
		}
	}
}

// dataAt returns what was published at a sequence.
func (c *modelClient) dataAt(p bridge.Part, seq uint64) string {
	if p.Log != nil {
		if history := p.Log.(*fakeLog).content.history; seq > 0 && seq <= uint64(len(history)) {
			return string(history[seq-1].Data)
		}
		return ""
	}
	for _, item := range c.node.feed.items {
		if item.at.Seq == seq {
			return item.data
		}
	}
	return ""
}

// skips fails if an event leaves out what the client is owed of a part, between two sequences.
func (c *modelClient) skips(e bridgetest.Event, p bridge.Part, from, to, except uint64) {
	if what := c.owed(p, from, to, except, math.MinInt64); what != "" {
		c.fail("it gets %+v, but is owed %s; it has %v", e, what, c.has)
	}
}

// owed returns something that the client is owed above a sequence, up to another.
func (c *modelClient) owed(p bridge.Part, from, to, except uint64, since int64) string {
	if p.Log == nil {
		for _, item := range c.node.feed.items {
			if seq := item.at.Seq; seq > from && seq <= to && seq != except {
				return fmt.Sprintf("%+v", item)
			}
		}
		return ""
	}
	content := p.Log.(*fakeLog).content
	for _, m := range content.history {
		seq := m.Position.Seq
		if seq <= from || seq > to || seq == except || m.Position.Time < since || !matches(p.Subjects, m.Subject) {
			continue
		}
		if seq <= c.upTo[p.At.Epoch] && (content.gone[seq] || !isNewest(content.history, m, c.upTo[p.At.Epoch])) {
			continue
		}
		if lost := slices.Index(content.lost, seq); !content.gone[seq] || lost >= c.told[p.At.Epoch] {
			return fmt.Sprintf("%s at %d (gone: %v)", m.Data, seq, content.gone[seq])
		}
	}
	return ""
}

// isNewest reports whether no later message up to a sequence has the same subject.
func isNewest(history []*bridge.Message, m *bridge.Message, upTo uint64) bool {
	return !slices.ContainsFunc(history, func(other *bridge.Message) bool {
		return other.Subject == m.Subject && other.Position.Seq > m.Position.Seq && other.Position.Seq <= upTo
	})
}

// tell notes that the client was told of all that was lost in a part.
func (c *modelClient) tell(p bridge.Part) {
	if p.Log != nil {
		c.told[p.At.Epoch] = len(p.Log.(*fakeLog).content.lost)
	}
}

func (c *modelClient) judgeGap(e bridgetest.Event, id bridge.ID) {
	justified := false
	for _, p := range c.node.feed.parts {
		at, _ := in(id, p.At.Epoch)
		justified = justified || c.lacks(p, c.has[at.Epoch], at.Seq)
		c.tell(p)
	}
	if !justified {
		c.fail("it gets %+v, but nothing was lost; it has %v", e, c.has)
	}
}

// lacks reports whether something that follows a position is gone, so that a gap may say so.
func (c *modelClient) lacks(p bridge.Part, from, to uint64) bool {
	if p.Log == nil {
		return slices.ContainsFunc(c.node.feed.items, func(i coreItem) bool { return i.at.Seq > from && i.at.Seq <= to })
	}
	log := p.Log.(*fakeLog)
	return slices.ContainsFunc(log.content.lost, func(seq uint64) bool {
		return seq > from && (log.careful || matches(p.Subjects, log.content.history[seq-1].Subject))
	}) || log.careful && len(log.content.lost) > 0
}

func (c *modelClient) judgeSynced(e bridgetest.Event) {
	if c.synced++; c.synced > 1 || c.sent.Since.Kind == bridge.SinceNew {
		c.fail("it gets %+v for the %d. time, and has asked for %+v", e, c.synced, c.sent.Since)
	}
	for _, p := range c.node.feed.parts {
		if asked, known := c.asked[p.At.Epoch]; known {
			c.skips(e, p, c.has[p.At.Epoch], asked, 0)
		}
	}
}

// judgeMove is about the first event from another feed than the last: it tells what the client misses, if anything.
func (c *modelClient) judgeMove(e bridgetest.Event, id bridge.ID) {
	must := c.mustTell()
	isTold := e.Type == bridge.EventReset || e.Type == bridge.EventGap && must != ""
	switch {
	case !isTold && must == "":
		clear(c.asked)
		c.judgeEvent(e, id)
		return
	case e.Type != must && (e.Type != bridge.EventReset || !c.mayBeRolled()):
		c.fail("it gets %+v instead of %q, from another feed; it has %v", e, must, c.has)
	}
	clear(c.asked)
	for _, p := range c.node.feed.parts {
		at, _ := in(id, p.At.Epoch)
		has, known := c.has[p.At.Epoch]
		isExact := known && p.Log != nil && (!c.isRolled(p) || at.Seq >= has && at.Seq != p.At.Seq)
		if c.isRolled(p) && !isExact && !c.isAnew(p) {
			delete(c.upTo, at.Epoch) // before it is asked for
		}
		if p.Log != nil && c.sent.Since.Kind != bridge.SinceNew && c.synced == 0 {
			c.asked[at.Epoch] = max(p.Log.Last().Seq, c.upTo[at.Epoch])
		}
		switch {
		case c.isAnew(p):
			c.equal(e, at.Seq, 0)
			continue
		case p.Log == nil:
			c.equal(e, max(at.Seq, p.At.Seq), at.Seq) // what the memory has lost since the gap speaks for, too
			continue
		case isExact:
			c.tell(p)
			c.equal(e, max(at.Seq, has), at.Seq)
			c.skips(e, p, has, at.Seq, 0)
			continue
		default:
			c.tell(p)
			c.equal(e, at.Seq, p.At.Seq)
		}
	}
}

// mustTell returns what a client must be told of the feed that is there now, for what the last it was given events from had; ""
// for nothing.
func (c *modelClient) mustTell() (event string) {
	if c.feed == c.node.feed {
		return ""
	}
	for _, p := range c.node.feed.parts {
		switch _, known := c.has[p.At.Epoch]; {
		case c.isAnew(p), c.isRolled(p) && c.isLost(p):
			return bridge.EventReset
		case !known || p.Log == nil:
			event = bridge.EventGap
		}
	}
	if len(c.has) != len(c.node.feed.parts) {
		event = bridge.EventGap
	}
	return event
}

// isAnew reports whether a part is another life of a stream that the client has read.
func (c *modelClient) isAnew(p bridge.Part) bool {
	for epoch := range c.has {
		if p.Log != nil && epoch != p.At.Epoch && epoch[:6] == p.At.Epoch[:6] {
			return true
		}
	}
	return false
}

// isRolled reports whether the stream of a part was set back since the client was given an event.
func (c *modelClient) isRolled(p bridge.Part) bool {
	return slices.ContainsFunc(c.feed.parts, func(had bridge.Part) bool { return had.At.Epoch == p.At.Epoch && had.Log != p.Log })
}

// isLost reports whether what the client has seen last of a stream that was set back is not there any more.
func (c *modelClient) isLost(p bridge.Part) bool {
	at, known := in(c.parse(c.ids[len(c.ids)-1]), p.At.Epoch)
	must, _ := c.rolled(p, at)
	return known && must
}

// mayBeRolled reports whether a reset may say that some stream was set back: where the client has seen nothing of it, its reader may have.
func (c *modelClient) mayBeRolled() bool { return slices.ContainsFunc(c.node.feed.parts, c.isRolled) }
