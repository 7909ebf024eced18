package bridge_test

import (
	"encoding/json"
	"slices"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// judgeOpening holds the first event against what the client has sent.
func (c *modelClient) judgeOpening(e bridgetest.Event, id bridge.ID) {
	after, since := c.sent.After, c.sent.Since
	if c.sent.Malformed {
		after = nil
	} else if len(after) == 0 && since.Kind == bridge.SinceID {
		after, since = since.ID, bridge.Since{}
	}
	var data struct{ Reason string }
	if err := json.Unmarshal([]byte(e.Data), &data); err != nil {
		c.fail("%+v: %v", e, err)
	}
	reset, gap, mayReset := c.expected(after)
	switch e.Type {
	case bridge.EventOpen:
		if reset != "" || gap {
			c.fail("it brings %+v and gets %+v; reset %q, gap %v", c.sent, e, reset, gap)
		}
	case bridge.EventGap:
		if reset != "" || !gap && !c.lacksAny(after, id) {
			c.fail("it brings %+v and gets %+v; reset %q", c.sent, e, reset)
		}
	case bridge.EventReset:
		if data.Reason != reset && (data.Reason != bridge.ResetRolled || !mayReset) {
			c.fail("it brings %+v and gets %+v instead of a reset %q", c.sent, e, reset)
		}
	default:
		c.fail("its connection begins with %+v", e)
	}
	exact := e.Type == bridge.EventOpen
	for _, p := range c.node.feed.parts {
		at, _ := in(id, p.At.Epoch)
		brought, known := in(after, p.At.Epoch)
		must, may := c.rolled(p, brought)
		if p.Log != nil && c.sent.Since.Kind != bridge.SinceNew {
			c.asked[at.Epoch] = p.Log.Last().Seq
		}
		if !known || must || may && e.Type == bridge.EventReset && at.Seq != brought.Seq {
			c.tell(p)
			c.begins(e, p, since, at.Seq)
			continue
		}
		if !exact {
			c.tell(p)
		}
		if exact && at.Seq != brought.Seq || at.Seq < brought.Seq {
			c.fail("it brings %+v and gets %+v", c.sent, e)
		}
		if p.Log != nil {
			c.skips(e, p, brought.Seq, at.Seq, 0)
		}
	}
}

// expected returns the reason of the reset that an id must lead to, or that there must be a gap; mayReset, that a part may
// be known to have been rolled back.
func (c *modelClient) expected(after bridge.ID) (reset string, gap, mayReset bool) {
	if c.sent.Malformed {
		return bridge.ResetMalformed, false, false
	}
	if len(after) == 0 {
		return "", false, false
	}
	strange, known := bridge.ResetUnknown, 0
	for _, p := range c.node.feed.parts {
		other := slices.ContainsFunc(after, func(at bridge.Position) bool {
			return p.Log != nil && at.Epoch != p.At.Epoch && at.Epoch[:6] == p.At.Epoch[:6]
		})
		at, is := in(after, p.At.Epoch)
		must, may := c.rolled(p, at)
		mayReset = mayReset || is && may
		switch {
		case is && must && reset == "":
			reset = bridge.ResetRolled
		case other && reset == "":
			reset = bridge.ResetRecreated
		case !is:
			gap = true
		}
		if is {
			known++
		}
		if other {
			strange = bridge.ResetRecreated
		}
	}
	if known == 0 {
		return strange, false, false
	}
	return reset, gap || known < len(after), mayReset
}

// rolled reports whether a position is one that the stream has used again, for another message: whether that can be seen
// in the stream, and whether it can be known.
func (c *modelClient) rolled(p bridge.Part, at bridge.Position) (must, may bool) {
	if p.Log == nil || at.Seq == 0 {
		return false, false
	}
	content := p.Log.(*fakeLog).content
	if at.Seq > content.last.Seq {
		return true, true
	}
	if at.Seq > p.Log.Last().Seq {
		return false, true // for a second, a node believes what the leader said of a sequence
	}
	may = at.Time != 0 && content.history[at.Seq-1].Position.Time != at.Time
	return may && !content.gone[at.Seq], may
}

func (c *modelClient) lacksAny(after, id bridge.ID) bool {
	return slices.ContainsFunc(c.node.feed.parts, func(p bridge.Part) bool {
		brought, _ := in(after, p.At.Epoch)
		at, _ := in(id, p.At.Epoch)
		return c.lacks(p, brought.Seq, at.Seq)
	})
}

// begins checks where a part begins of which the client has brought nothing.
func (c *modelClient) begins(e bridgetest.Event, p bridge.Part, since bridge.Since, at uint64) {
	from, ofID := in(since.ID, p.At.Epoch)
	switch {
	case ofID && at != c.arrival[p.At.Epoch]:
		if p.Log != nil {
			c.skips(e, p, from.Seq, at, 0)
		}
	case p.Log == nil || since.Kind == bridge.SinceNew || since.Kind == bridge.SinceID:
		c.equal(e, at, c.arrival[p.At.Epoch])
	case since.Kind == bridge.SinceAll:
		c.skips(e, p, 0, at, 0)
	case since.Kind == bridge.SinceLast:
		c.upTo[p.At.Epoch] = p.Log.(*fakeLog).upTo
		c.asked[p.At.Epoch] = max(c.asked[p.At.Epoch], c.upTo[p.At.Epoch])
		c.skips(e, p, 0, at, 0)
	case since.Kind == bridge.SinceTime:
		if what := c.owed(p, 0, at, 0, since.Time.UnixNano()); what != "" {
			c.fail("it has asked for %+v and gets %+v, but is owed %s", since, e, what)
		}
	}
}
