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
	c.reader.CopyCursor(c.node.lead)
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

func (c *modelClient) equal(e bridgetest.Event, got, want uint64) {
	if got != want {
		c.fail("it gets %+v, with the sequence %d instead of %d; it has %v", e, got, want, c.has)
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
