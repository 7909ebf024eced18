package bridge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// modelClient is a browser: what it knows are the ids it has seen, and it judges all that comes.
type modelClient struct {
	*model
	name int
	node *modelNode
	ids  []string // all that it has ever seen

	// Of the connection.
	reader  *bridge.Reader
	led     bool // what it is given, others of its node are given too
	sent    bridge.Resume
	opened  bool
	joined  *modelFeed        // that its reader reads
	feed    *modelFeed        // from which the last event came
	has     map[string]uint64 // by epoch
	arrival map[string]uint64 // where what is new begins
	told    map[string]int    // how many of a stream's losses were told, or came before the connection
	upTo    map[string]uint64 // as of this sequence the client is given newest values
	asked   map[string]uint64 // up to here goes the replay that was asked for
	synced  int
}

// again returns what a browser sends when it reconnects.
func (c *modelClient) again() bridge.Resume {
	if len(c.ids) == 0 {
		return bridge.Resume{}
	}
	return bridge.Resume{After: c.parse(c.ids[len(c.ids)-1])}
}

// resume returns anything that a client may send.
func (c *modelClient) resume(t *rapid.T) bridge.Resume {
	var r bridge.Resume
	brings := rapid.SampledFrom([]string{"the last", "the last", "the last", "the last", "an older", "none", "none", "malformed", "a strange"}).Draw(t, "brings")
	switch {
	case brings == "malformed":
		r.Malformed = true
	case brings == "a strange":
		r.After = bridge.ID{{Epoch: "STRANGE00000", Seq: 3}}
	case brings == "an older" && len(c.ids) > 0:
		r.After = c.older(t)
	case brings == "the last":
		r = c.again()
	}
	r.Since.Kind = bridge.SinceKind(rapid.IntRange(0, 4).Draw(t, "since"))
	switch r.Since.Kind {
	case bridge.SinceTime:
		r.Since.Time = time.Unix(rapid.Int64Range(0, c.now+1).Draw(t, "time"), 0)
	case bridge.SinceID:
		if len(c.ids) == 0 {
			r.Since.Kind = bridge.SinceNew
			break
		}
		r.Since.ID = c.older(t)
	}
	return r
}

func (c *modelClient) older(t *rapid.T) bridge.ID {
	id := c.parse(rapid.SampledFrom(c.ids).Draw(t, "id"))
	if rapid.IntRange(0, 3).Draw(t, "timeless") == 0 {
		for i := range id {
			id[i].Time = 0
		}
	}
	return id
}

func (c *modelClient) parse(text string) bridge.ID {
	id, err := bridge.ParseID(text)
	if err != nil {
		c.fail("it has seen an id that is none: %v", err)
	}
	return id
}

func (c *modelClient) connect(n *modelNode, resume bridge.Resume) {
	reader, err := n.hub.Read(n.subjects(), n.framing, resume)
	if err != nil {
		c.fail("it cannot connect: %v", err)
	}
	c.node, c.reader, c.sent, c.opened, c.synced = n, reader, resume, false, 0
	c.has, c.told = map[string]uint64{}, map[string]int{}
	c.upTo, c.asked = map[string]uint64{}, map[string]uint64{}
	n.notice()
	c.joined, c.feed = n.feed, nil
	c.arrive()
}

// arrive notes where what is new begins.
func (c *modelClient) arrive() {
	c.arrival = map[string]uint64{}
	if c.node.feed == nil {
		return
	}
	for _, p := range c.node.feed.parts {
		c.arrival[p.At.Epoch] = c.node.stands(p)
	}
}

// stands returns the sequence up to which a part's messages have come to the node.
func (n *modelNode) stands(p bridge.Part) uint64 {
	if p.Log != nil {
		return p.Log.Last().Seq
	}
	return n.feed.items[len(n.feed.items)-1].at.Seq
}

func (c *modelClient) close() {
	if c.led {
		c.leave()
	}
	c.reader.Close()
	c.reader, c.node = nil, nil
}

// leave lets it go on by itself from where it was led.
func (c *modelClient) leave() {
	c.reader.StandAs(c.node.lead)
	c.led = false
	if !slices.ContainsFunc(c.clients, func(other *modelClient) bool { return other.led && other.node == c.node }) {
		c.node.lead.Close()
		c.node.lead = nil
	}
}

// read takes a batch, of which only so many frames arrive; to the others that are led, all.
func (c *modelClient) read(maxBytes, arrive int) (more bool) {
	if c.led && c.node.lead.HasEnded() {
		for _, other := range c.clients {
			if other.led && other.node == c.node {
				other.leave()
			}
		}
	}
	reader := c.reader
	if c.led {
		reader = c.node.lead
	} else if c.joined != c.node.feed {
		c.arrive()
	}
	batch, wait := bridgetest.Next(reader, nil, maxBytes)
	c.node.notice()
	c.joined = c.node.feed
	for _, other := range c.clients {
		if other != c && c.led && other.led && other.node == c.node {
			other.take(batch)
		}
	}
	c.take(batch[:min(arrive, len(batch))])
	return wait == nil
}

func (c *modelClient) take(frames [][]byte) {
	for _, event := range c.events(frames) {
		c.judge(event)
	}
}

// events reads frames in any format.
func (c *modelClient) events(frames [][]byte) []bridgetest.Event {
	var events []bridgetest.Event
	if c.framing.Format == bridge.Lines {
		for _, frame := range frames {
			var line struct{ Event, Data, ID string }
			if err := json.Unmarshal(frame, &line); err != nil {
				c.fail("%q is not JSON: %v", frame, err)
			}
			if line.Event == "" {
				line.Event = "message"
			}
			events = append(events, bridgetest.Event{Type: line.Event, Data: line.Data, ID: line.ID})
		}
		return events
	}
	stream := bridgetest.NewStream(bytes.NewReader(slices.Concat(c.framing.Preamble(), bytes.Join(frames, nil))))
	for range frames {
		event, err := stream.Next()
		if err != nil {
			c.fail("%q is no event stream: %v", frames, err)
		}
		if c.framing.Format == bridge.JSON && event.Type == "message" {
			var object struct{ Data string }
			if err := json.Unmarshal([]byte(event.Data), &object); err != nil {
				c.fail("%+v is not JSON: %v", event, err)
			}
			event.Data = object.Data
		}
		events = append(events, event)
	}
	return events
}

func (c *modelClient) judge(e bridgetest.Event) {
	id := c.parse(e.ID)
	parts := c.node.feed.parts
	if len(id) != len(parts) {
		c.fail("%+v has an id of %d parts, the feed has %d", e, len(id), len(parts))
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
		case known && p.Log != nil && (!c.isRolled(p) || at.Seq >= has && at.Seq != p.At.Seq):
			c.tell(p)
			c.equal(e, max(at.Seq, has), at.Seq)
			c.skips(e, p, has, at.Seq, 0)
			continue
		case c.isRolled(p):
			delete(c.upTo, at.Epoch)
			fallthrough
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

func (c *modelClient) equal(e bridgetest.Event, got, want uint64) {
	if got != want {
		c.fail("it gets %+v, with the sequence %d instead of %d; it has %v", e, got, want, c.has)
	}
}

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

// complete reports whether the client is owed nothing more.
func (c *modelClient) complete() bool {
	if !c.opened || c.mustTell() != "" || (c.synced == 1) != (c.sent.Since.Kind != bridge.SinceNew) {
		return false
	}
	return !slices.ContainsFunc(c.node.feed.parts, func(p bridge.Part) bool {
		return c.owed(p, c.has[p.At.Epoch], math.MaxUint64, 0, math.MinInt64) != ""
	})
}

func (c *modelClient) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("client %d: %s\nit has seen %s", c.name, fmt.Sprintf(format, args...), strings.Join(c.ids[max(0, len(c.ids)-5):], " "))
}
