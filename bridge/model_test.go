package bridge_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tailwater/tailwater/bridge"
)

// In any order of publishing, reading, cuts, resumes, losses, recreations and restores, each client receives each message that it is owed once and
// in order, or is told in its place. It is told nothing if nothing was lost.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := newModel(t)
			defer m.close()
			t.Repeat(map[string]func(*rapid.T){
				"":          func(*rapid.T) { synctest.Wait() }, // so that a run can be repeated
				"publish":   m.publish,
				"publish 2": m.publish,
				"publish 3": m.publish,
				"deliver":   m.deliver,
				"deliver 2": m.deliver,
				"read":      m.read,
				"read 2":    m.read,
				"read 3":    m.read,
				"cut":       m.cut,
				"connect":   m.connect,
				"connect 2": m.connect,
				"gather":    m.gather,
				"gather 2":  m.gather,
				"scatter":   m.scatter,
				"pass":      m.pass,
				"attach":    m.attach,
				"remove":    m.remove,
				"fail":      m.fail,
				"interrupt": m.interrupt,
				"exchange":  m.exchange,
				"recreate":  m.recreate,
				"roll back": m.rollBack,
			})
			m.finish()
		})
	})
}

// model is a world of streams and nodes, and of clients that go from node to node.
type model struct {
	t       *rapid.T
	framing bridge.Framing
	groups  []*group
	nodes   []*modelNode
	clients []*modelClient
	now     int64 // seconds; every message has its own
	text    int
}

// group is subjects that are stored together, or not at all: x.a, x.b and so on. Clients read x.*, and not x.other.z.
type group struct {
	name     string
	fixed    bool        // it stays durable, or not
	stream   *fakeStream // nil while nothing stores it
	snapshot *content
}

// modelNode is one Tailwater.
type modelNode struct {
	*model
	hub    *bridge.Hub
	source *fakeSource
	logs   map[string]*fakeLog // by the name of the group
	core   bridge.Position     // of what came last on subjects that are not stored
	feed   *modelFeed          // nil while there is none
	ended  map[*bridge.Feed]bool
	lead   *bridge.Reader // is asked for the clients that are led; nil while there are none
}

// modelFeed is what the model knows of the one feed that a node may have, beside feeds that have ended.
type modelFeed struct {
	*bridge.Feed
	parts []bridge.Part // none before it has begun
	items []coreItem    // of the unstored part, ascending
}

// coreItem is a message on a subject that is not stored, or an interruption.
type coreItem struct {
	at   bridge.Position
	data string
	gap  string // the reason
}

const modelLinger = time.Minute

func newModel(t *rapid.T) *model {
	m := &model{t: t, framing: bridge.Framing{Format: rapid.SampledFrom([]bridge.Format{bridge.Raw, bridge.JSON, bridge.Lines}).Draw(t, "format")}}
	logs := rapid.IntRange(0, 3).Draw(t, "logs")
	for i := range logs {
		g := &group{name: string(rune('k' + i))}
		g.stream = m.newStream(g.name)
		m.groups = append(m.groups, g)
	}
	if logs == 0 || rapid.Bool().Draw(t, "core") {
		m.groups = append(m.groups, &group{name: "c", fixed: logs == 0})
	}
	memory := bridge.Memory{Frames: rapid.IntRange(1, 8).Draw(t, "frames"), Bytes: rapid.SampledFrom([]int{0, 300, 1 << 20}).Draw(t, "bytes")}
	for i := range 2 {
		n := &modelNode{model: m, source: &fakeSource{}, logs: map[string]*fakeLog{}, ended: map[*bridge.Feed]bool{}}
		n.core = bridge.Position{Epoch: fmt.Sprintf("%05dPROCESS", i), Time: 1}
		n.hub = bridge.NewHub(n.source, modelLinger, memory)
		for _, g := range m.groups {
			if g.stream != nil {
				n.logs[g.name] = g.stream.tap()
			}
		}
		m.nodes = append(m.nodes, n)
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "clients") {
		m.clients = append(m.clients, &modelClient{model: m, name: i})
	}
	return m
}

func (m *model) newStream(name string) *fakeStream {
	m.now++
	s := newStream(name, time.Unix(m.now, 0))
	s.pageSize = rapid.IntRange(1, 5).Draw(m.t, "page size")
	s.maxPerSubject = rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(m.t, "max per subject")
	s.maxMessages = rapid.SampledFrom([]int{0, 0, 8}).Draw(m.t, "max messages")
	s.careful = rapid.Bool().Draw(m.t, "careful")
	return s
}

func (m *model) close() {
	for _, n := range m.nodes {
		n.hub.Close()
	}
}

// subjects returns what every client reads.
func (m *model) subjects() []bridge.Subject {
	var all []bridge.Subject
	for _, g := range m.groups {
		all = append(all, bridge.Subject(g.name+".*"))
	}
	return all
}

// parts returns the parts of a node's feed as they are now.
func (n *modelNode) parts() []bridge.Part {
	var parts []bridge.Part
	unstored := bridge.Part{}
	for _, g := range n.groups {
		filter := bridge.Subject(g.name + ".*")
		if g.stream != nil {
			parts = append(parts, n.logs[g.name].part(filter))
		} else {
			unstored.Subjects = append(unstored.Subjects, filter)
		}
	}
	if unstored.Subjects != nil {
		unstored.At = n.step()
		parts = append(parts, unstored)
	}
	slices.SortFunc(parts, func(a, b bridge.Part) int { return strings.Compare(a.At.Epoch, b.At.Epoch) })
	return parts
}

// step returns the next position of what is not stored.
func (n *modelNode) step() bridge.Position {
	n.core.Seq++
	n.core.Time++
	return n.core
}

// begin lets the node's feed begin.
func (n *modelNode) begin() {
	f := n.feed
	f.parts = n.parts()
	for _, p := range f.parts {
		if p.Log == nil {
			f.items = []coreItem{{at: p.At, gap: "the beginning"}}
		}
	}
	f.Begin(f.parts)
	for _, c := range n.clients {
		if c.node == n {
			c.arrive()
		}
	}
}

// notice takes note of the feed that a reader may have opened.
func (n *modelNode) notice() {
	attached, detached := n.source.attachments()
	if last := attached[len(attached)-1]; (n.feed == nil || n.feed.Feed != last) && !n.ended[last] && !slices.Contains(detached, last) {
		n.feed = &modelFeed{Feed: last}
	}
}

func (m *model) group(t *rapid.T) *group { return rapid.SampledFrom(m.groups).Draw(t, "group") }

func (m *model) durable(t *rapid.T) *group {
	g := m.group(t)
	if g.stream == nil {
		t.Skip("not stored")
	}
	return g
}

func (m *model) node(t *rapid.T) *modelNode { return rapid.SampledFrom(m.nodes).Draw(t, "node") }

func (m *model) publish(t *rapid.T) {
	g := m.group(t)
	for range rapid.IntRange(1, 4).Draw(t, "messages") {
		subject := g.name + rapid.SampledFrom([]string{".a", ".b", ".c", ".other.z"}).Draw(t, "subject")
		m.text++
		data := fmt.Sprintf("%s %d %s", subject, m.text, strings.Repeat("x", rapid.IntRange(0, 60).Draw(t, "size")))
		m.now++
		if g.stream != nil {
			g.stream.publish(subject, data, time.Unix(m.now, 0))
			continue
		}
		for _, n := range m.nodes {
			at := n.step()
			if n.feed == nil || n.feed.parts == nil || strings.HasSuffix(subject, ".z") {
				continue
			}
			n.feed.items = append(n.feed.items, coreItem{at: at, data: data})
			n.feed.Append(&bridge.Message{Subject: subject, Position: at, Data: []byte(data)})
		}
	}
}

// deliver lets a node catch up with a stream, or a part of the way.
func (m *model) deliver(t *rapid.T) {
	n, g := m.node(t), m.durable(t)
	log := n.logs[g.name]
	n.catchUp(log, log.Last().Seq+rapid.Uint64Range(1, 10).Draw(t, "so many"))
}

func (n *modelNode) catchUp(log *fakeLog, upTo uint64) {
	if n.feed == nil || n.feed.parts == nil {
		log.deliver(upTo)
	} else {
		log.deliver(upTo, n.feed.Feed)
	}
}

// attach is when a node's source becomes sure of its subscriptions.
func (m *model) attach(t *rapid.T) {
	n := m.node(t)
	if n.feed == nil || n.feed.parts != nil {
		t.Skip("nothing to begin")
	}
	n.begin()
}

func (m *model) read(t *rapid.T) {
	m.client(t, true).read(rapid.IntRange(0, 600).Draw(t, "bytes"), 1<<20)
}

// cut ends a connection: of what was given last, only so many frames arrive.
func (m *model) cut(t *rapid.T) {
	c := m.client(t, true)
	c.read(rapid.IntRange(0, 600).Draw(t, "bytes"), rapid.IntRange(0, 3).Draw(t, "frames"))
	c.close()
}

// gather lets a client be given what others are, from now on, as an event loop does with those that are level.
func (m *model) gather(t *rapid.T) {
	c := m.client(t, true)
	lead := c.node.lead
	switch {
	case c.led:
		t.Skip("it is led")
	case lead == nil && c.reader.Level(c.reader):
		c.node.lead = c.reader.Fork()
	case lead == nil || !c.reader.Level(lead):
		t.Skip("it is not level")
	}
	c.led = true
}

// scatter lets a client go on by itself.
func (m *model) scatter(t *rapid.T) {
	c := m.client(t, true)
	if !c.led {
		t.Skip("it is not led")
	}
	c.leave()
}

func (m *model) connect(t *rapid.T) {
	c, n := m.client(t, false), m.node(t)
	c.connect(n, c.resume(t))
	if n.feed.parts == nil && rapid.Bool().Draw(t, "begins at once") {
		n.begin()
	}
}

func (m *model) client(t *rapid.T, connected bool) *modelClient {
	c := rapid.SampledFrom(m.clients).Draw(t, "client")
	if (c.reader != nil) != connected {
		t.Skip("it is not in this state")
	}
	return c
}

// pass lets time go by: enough for reads, for those that failed to be tried again, or for feeds to be closed.
func (m *model) pass(t *rapid.T) {
	m.sleep(rapid.SampledFrom([]time.Duration{time.Millisecond, 20 * time.Millisecond, 2 * time.Second, 2 * modelLinger}).Draw(t, "time"))
}

func (m *model) sleep(d time.Duration) {
	pass(d)
	for _, n := range m.nodes {
		if _, detached := n.source.attachments(); n.feed != nil && slices.Contains(detached, n.feed.Feed) {
			n.feed = nil
		}
	}
}

// finish mends the world; every client that reads to the end then has all it is owed.
func (m *model) finish() {
	for _, g := range m.groups {
		if g.stream != nil {
			g.stream.fail(false)
		}
	}
	for _, c := range m.clients {
		if c.reader == nil {
			m.connect1(c)
		}
	}
	for _, n := range m.nodes {
		for _, name := range slices.Sorted(maps.Keys(n.logs)) {
			n.catchUp(n.logs[name], 1<<62)
		}
	}
	for _, c := range m.clients {
		for range 200 {
			m.sleep(50 * time.Millisecond)
			more := c.read(1<<20, 1<<20)
			if c.node.feed.parts == nil {
				c.node.begin()
				more = true
			}
			if !more && c.complete() {
				break
			}
		}
		if !c.complete() {
			c.fail("it ends with %v; opened %v, synced %d times; %s", c.has, c.opened, c.synced, c.mustTell())
		}
	}
}

// connect1 continues a client at the first node.
func (m *model) connect1(c *modelClient) {
	c.connect(m.nodes[0], c.again())
}
