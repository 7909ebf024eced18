package bridge_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

var modelSeed = flag.Uint64("model.seed", 0, "repeat the one run of TestModel that has this seed")

// Whatever is published, read, cut and resumed, in whatever order: each client has each message once and in order, or an
// announced gap in its place; and there is no gap where nothing was lost.
func TestModel(t *testing.T) {
	if *modelSeed != 0 {
		runModel(t, *modelSeed)
		return
	}
	for range 250 {
		runModel(t, rand.Uint64())
		if t.Failed() {
			return
		}
	}
}

// model is a feed and all that ever happened to it.
type model struct {
	t       *testing.T
	seed    uint64
	random  *rand.Rand
	memory  bridge.Memory
	hub     *bridge.Hub
	feed    *bridge.Feed
	history []happening // in the order of seq
}

type happening struct {
	seq  uint64
	data string // of a message
	gap  string // the reason of an interruption
}

// modelClient is a browser: what it knows is the last id it has seen, and it judges all that comes.
type modelClient struct {
	*model
	name    int
	reader  *bridge.Reader
	resumes bool
	opened  bool
	seen    string // the last event id; empty for one that is new
	seq     uint64 // its sequence; before the opening of a new client that of its arrival
}

func runModel(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	m := &model{t: t, seed: seed, random: random, memory: bridge.Memory{Frames: 1 + random.IntN(10), Bytes: 1 << 30}}
	if random.IntN(2) == 0 {
		m.memory.Bytes = random.IntN(1000)
	}
	var source *fakeSource
	m.hub, source = newHub(t, m.memory)
	defer m.hub.Close()
	clients := make([]*modelClient, 1+random.IntN(4))
	for i := range clients {
		clients[i] = &modelClient{model: m, name: i}
		clients[i].connect()
	}
	m.feed = source.feed(t)
	m.happen(happening{gap: "the beginning"})
	for range 150 {
		client := clients[random.IntN(len(clients))]
		switch random.IntN(12) {
		case 0:
			m.happen(happening{gap: bridge.GapDisconnected})
		case 1:
			m.happen(happening{gap: bridge.GapOverrun})
		case 2, 3, 4, 5, 6:
			m.happen(happening{data: strings.Repeat("x", random.IntN(100))})
		case 7:
			client.read(random.IntN(4)) // the rest is lost with the connection
			client.connect()
		default:
			client.read(1 << 20)
		}
	}
	for _, client := range clients {
		client.finish()
	}
}

// happen lets a message or an interruption come to the feed, with a sequence that may leave some out: those belong to
// other feeds.
func (m *model) happen(h happening) {
	h.seq = m.last() + 1 + m.random.Uint64N(3)
	m.history = append(m.history, h)
	switch h.gap {
	case "":
		m.feed.Append(&bridge.Message{Subject: "a", Position: at(h.seq), Data: []byte(h.data)})
	case bridge.GapOverrun:
		m.feed.Lost(at(h.seq), h.gap)
	default:
		m.feed.Begin(unstored(at(h.seq)), h.gap)
	}
}

// last gives the sequence of what happened last.
func (m *model) last() uint64 {
	if len(m.history) == 0 {
		return 0
	}
	return m.history[len(m.history)-1].seq
}

// between gives what happened after one sequence, up to another.
func (m *model) between(after, upTo uint64) []happening {
	var found []happening
	for _, h := range m.history {
		if h.seq > after && h.seq <= upTo {
			found = append(found, h)
		}
	}
	return found
}

func (c *modelClient) connect() {
	if c.reader != nil {
		c.reader.Close()
	}
	c.opened, c.resumes = false, c.seen != ""
	if !c.resumes {
		c.seq = c.last()
		c.reader = read(c.t, c.hub, bridge.Resume{}, "a")
		return
	}
	after, err := bridge.ParseID(c.seen)
	if err != nil {
		c.t.Fatal(err)
	}
	c.reader = read(c.t, c.hub, bridge.Resume{After: after}, "a")
}

// read takes a batch, of which only so many frames arrive.
func (c *modelClient) read(arrive int) (more bool) {
	batch, wait := c.reader.Next(nil, c.random.IntN(400))
	for _, event := range events(c.t, batch[:min(arrive, len(batch))]...) {
		c.judge(event)
	}
	return wait == nil
}

// finish reads to the end, where the client must be up to date.
func (c *modelClient) finish() {
	for c.read(1 << 20) {
	}
	if !c.opened || c.seq != c.last() {
		c.fail("it ends at %d, opened: %v; the last happening is %d", c.seq, c.opened, c.last())
	}
}

func (c *modelClient) judge(e bridgetest.Event) {
	id, err := bridge.ParseID(e.ID)
	if err != nil || len(id) != 1 || id[0] != at(id[0].Seq) {
		c.fail("%+v has a wrong id", e)
	}
	position := id[0]
	missed := c.between(c.seq, position.Seq)
	opening := !c.opened
	c.opened = true
	switch {
	case e.Type == bridge.EventOpen:
		if !opening || c.resumes && (e.ID != c.seen || len(missed) > 0) || position.Seq < c.seq {
			c.fail("it gets %+v, but has seen %s (%d), and has missed %+v", e, c.seen, c.seq, missed)
		}
	case e.Type == bridge.EventGap:
		c.judgeGap(e, position.Seq, missed, opening)
	case opening:
		c.fail("its connection begins with %+v", e)
	case len(missed) != 1 || missed[0].seq != position.Seq || missed[0].gap != "" || missed[0].data != e.Data:
		c.fail("it gets %+v, but is owed %+v", e, missed)
	}
	c.seen, c.seq = e.ID, position.Seq
}

func (c *modelClient) judgeGap(e bridgetest.Event, seq uint64, missed []happening, opening bool) {
	var gap struct{ After, First, Reason string }
	if err := json.Unmarshal([]byte(e.Data), &gap); err != nil || gap.After != c.seen || gap.First != e.ID {
		c.fail("it gets %+v, but has seen %s", e, c.seen)
	}
	if !opening && len(missed) == 1 && missed[0].seq == seq && missed[0].gap == gap.Reason {
		return // an interruption, in its place
	}
	reason := bridge.GapOverrun
	if opening {
		reason = bridge.GapRetention
	}
	if gap.Reason != reason || len(missed) == 0 {
		c.fail("it gets %+v, but has missed %+v", e, missed)
	}
	// All that can still be held is held, so nothing was announced as lost that was not.
	if kept := c.between(seq, c.last()); c.memory.Bytes == 1<<30 && len(kept) != c.memory.Frames {
		c.fail("it gets %+v, where %d happenings follow, but there is room for %d", e, len(kept), c.memory.Frames)
	}
}

func (c *modelClient) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("client %d: %s\nrepeat it with -model.seed=%d", c.name, fmt.Sprintf(format, args...), c.seed)
}
