package bridge_test

import (
	"pgregory.net/rapid"

	"github.com/tailwater/tailwater/bridge"
)

// remove takes messages from a stream: by a purge, or as the publisher wants.
func (m *model) remove(t *rapid.T) {
	s := m.durable(t).stream
	if last := s.content.last.Seq; last > 0 {
		seq := rapid.Uint64Range(1, last).Draw(t, "sequence")
		if rapid.Bool().Draw(t, "purge") {
			s.purge(seq)
		} else {
			s.delete(seq)
		}
	}
}

func (m *model) fail(t *rapid.T) { m.durable(t).stream.fail(rapid.Bool().Draw(t, "failing")) }

// interrupt is a node's loss of NATS, for what is not stored.
func (m *model) interrupt(t *rapid.T) {
	n := m.node(t)
	if n.feed == nil || n.feed.parts == nil {
		t.Skip("no feed")
	}
	parts := n.parts()
	for _, p := range parts {
		if p.Log == nil {
			n.feed.items = append(n.feed.items, coreItem{at: p.At, gap: bridge.GapDisconnected})
		}
	}
	n.feed.Begin(parts)
}

// exchange makes subjects durable that were not, or the other way round.
func (m *model) exchange(t *rapid.T) {
	g := m.group(t)
	if g.fixed {
		t.Skip("it stays")
	}
	if g.snapshot = nil; g.stream == nil {
		g.stream = m.newStream(g.name)
	} else {
		g.stream = nil
	}
	m.changed(g)
}

func (m *model) recreate(t *rapid.T) {
	g := m.durable(t)
	g.stream, g.snapshot = m.newStream(g.name), nil
	m.changed(g)
}

// rollBack takes a copy of a stream, or sets it back to the one that was taken.
func (m *model) rollBack(t *rapid.T) {
	g := m.durable(t)
	if g.snapshot == nil {
		c := g.stream.copy()
		g.snapshot = &c
		return
	}
	g.stream.restore(*g.snapshot)
	g.snapshot = nil
	m.changed(g)
}

// changed lets every node notice what became of a group. Feeds end, whether they have begun or not.
func (m *model) changed(g *group) {
	for _, n := range m.nodes {
		delete(n.logs, g.name)
		if g.stream != nil {
			n.logs[g.name] = g.stream.tap()
		}
		if n.feed != nil {
			n.ended[n.feed.Feed] = true
			n.feed.End()
			n.feed = nil
		}
	}
}
