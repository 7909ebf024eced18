package outlet

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// Survey is how far the clients of open connections are behind, and which are the slowest and the oldest. It is for people and metrics, not
// for decisions.
type Survey struct {
	Behind   int           // connections whose clients lack something
	Messages uint64        // the most that one of them lacks, with those of its streams that are of other subjects
	Late     time.Duration // how long one of them has lacked something at most
	Slowest  []Connection  // the slowest first, without those that lack nothing
	Oldest   []Connection  // the oldest first
	Missing  bool          // an event loop has not answered in time
}

// Connection describes an open connection.
type Connection struct {
	Subjects []bridge.Subject
	Caller   string     // its name; empty if anonymous
	Address  netip.Addr // of the client, behind trusted proxies
	Writer   string     // loop, or plain for a goroutine
	Age      time.Duration
	Late     time.Duration // how long the client has lacked something; 0 if it lacks nothing
	Lag      bridge.Lag
	Unsent   int           // bytes that were written or wait to be, and that its system has not acknowledged; for plain, of the present write
	Stalled  time.Duration // how long its system has acknowledged nothing, as far as is known
}

// Survey looks at all connections. It never holds up an event loop for more than a part of a millisecond: loops look at a few connections at a
// time, between their writes. The lists have most entries; without entries, the kernel is not asked about each socket.
func (o *Outlet) Survey(ctx context.Context, most int) Survey {
	tallies := make(chan *tally, len(o.loops))
	for _, l := range o.loops {
		l.survey(most, tallies)
	}
	all := &tally{most: most}
	o.surveyPlain(all)
	for range o.loops {
		select {
		case t := <-tallies:
			all.add(t)
		case <-ctx.Done():
			all.Missing = true
			return all.Survey
		}
	}
	return all.Survey
}

// tally is a survey that is being made.
type tally struct {
	Survey
	most int
}

// momentary is how long what has arrived may wait to be written, or a write may take, before a client counts as behind.
const momentary = 100 * time.Millisecond

// count adds a connection. If it is among the slowest or the oldest, describe fills in what takes longer to find out.
func (t *tally) count(c Connection, describe func(*Connection)) {
	if !c.Lag.Since.IsZero() {
		c.Late = max(c.Late, min(time.Since(c.Lag.Since), c.Age)) // what a store owed it before it came is not lateness
	}
	c.Late = max(c.Late, c.Stalled)
	if c.Lag.IsOpening {
		c.Late = c.Age
	}
	if c.Late < momentary {
		c.Late = 0
	}
	if c.Late > 0 || c.Lag.Older > 0 {
		t.Behind++
		t.Messages = max(t.Messages, c.Lag.Messages+c.Lag.Older)
		t.Late = max(t.Late, c.Late)
	}
	isSlow := c.Late > 0 || c.Unsent > 0
	isSlow = isSlow && isAmong(t.Slowest, c, t.most, slower)
	isOld := isAmong(t.Oldest, c, t.most, older)
	if isSlow || isOld {
		describe(&c)
	}
	if isSlow {
		t.Slowest = insert(t.Slowest, c, t.most, slower)
	}
	t.Oldest = insert(t.Oldest, c, t.most, older)
}

// isAmong reports whether a connection belongs into a sorted list of so many.
func isAmong(list []Connection, c Connection, most int, order func(a, b Connection) int) bool {
	return len(list) < most || most > 0 && order(c, list[len(list)-1]) < 0
}

// insert adds a connection to such a list, if it belongs there.
func insert(list []Connection, c Connection, most int, order func(a, b Connection) int) []Connection {
	if !isAmong(list, c, most, order) {
		return list
	}
	at, _ := slices.BinarySearchFunc(list, c, order)
	return slices.Insert(list[:min(len(list), most-1)], at, c)
}

// add adds the connections of another tally.
func (t *tally) add(other *tally) {
	t.Behind += other.Behind
	t.Messages, t.Late = max(t.Messages, other.Messages), max(t.Late, other.Late)
	for _, c := range other.Slowest {
		t.Slowest = insert(t.Slowest, c, t.most, slower)
	}
	for _, c := range other.Oldest {
		t.Oldest = insert(t.Oldest, c, t.most, older)
	}
}

func slower(a, b Connection) int {
	return cmp.Or(cmp.Compare(b.Late, a.Late), cmp.Compare(b.Unsent, a.Unsent), cmp.Compare(b.Lag.Messages, a.Lag.Messages))
}

func older(a, b Connection) int { return cmp.Compare(b.Age, a.Age) }

// surveyPlain looks at the connections that goroutines write.
func (o *Outlet) surveyPlain(t *tally) {
	o.mu.Lock()
	all := slices.Collect(maps.Keys(o.plain))
	o.mu.Unlock()
	for _, c := range all {
		t.count(c.describe(), func(described *Connection) {
			described.Subjects, described.Caller, described.Address = c.subjects, c.lifetime.Caller, c.lifetime.Address
		})
	}
}

// describe returns the state of a connection whose goroutine may be waiting for its client.
func (c *connection) describe() Connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := Connection{Writer: "plain", Age: time.Since(c.opened), Lag: c.cursor.Lag(), Unsent: c.writing}
	if c.writing > 0 {
		d.Stalled = time.Since(c.began)
	}
	return d
}
