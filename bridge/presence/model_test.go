package presence_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge/presence"
)

// connection is one that the model knows of.
type connection struct {
	node    *node
	subject string
	name    string
	leave   func()
}

// model is what the bucket must say when everything has come to rest: the set of those who have a connection.
type model struct {
	t     *testing.T
	rand  *rand.Rand
	b     *bucket
	nodes []*node
	open  []connection
}

// TestModel lets members come and go on bridges that are cut off, slow, killed and started, and then compares who is listed with who has
// a connection.
func TestModel(t *testing.T) {
	for seed := range uint64(modelSeeds) {
		synctest.Test(t, func(t *testing.T) {
			m := &model{t: t, rand: rand.New(rand.NewPCG(seed, 1)), b: newBucket()}
			for range 1 + m.rand.IntN(4) {
				m.nodes = append(m.nodes, open(t, m.b))
			}
			for range 3 {
				for range 150 {
					m.step()
					time.Sleep(time.Duration(m.rand.Int64N(int64(500 * time.Millisecond))))
				}
				m.rest()
				m.check(seed)
			}
			for len(m.open) > 0 {
				m.leave(0)
			}
			m.rest()
			m.check(seed)
		})
		if t.Failed() {
			return
		}
	}
}

func (m *model) step() {
	n := m.nodes[m.rand.IntN(len(m.nodes))]
	switch m.rand.IntN(20) {
	case 0:
		n.link.cut(m.rand.IntN(2) == 0)
	case 1:
		n.link.slow(time.Duration(m.rand.Int64N(int64(time.Second))))
	case 2:
		m.replace(n)
	case 3:
		time.Sleep(time.Duration(m.rand.Int64N(int64(40 * time.Second))))
	case 4, 5, 6, 7, 8, 9, 10:
		if len(m.open) > 0 {
			m.leave(m.rand.IntN(len(m.open)))
		}
	default:
		c := connection{node: n, subject: fmt.Sprint("chat.", m.rand.IntN(3)), name: []string{"", "Ada", "Ben", "Cleo", "Dan"}[m.rand.IntN(5)]}
		c.leave = n.join(c.subject, c.name)
		m.open = append(m.open, c)
	}
}

// replace kills or closes a bridge, and starts another.
func (m *model) replace(n *node) {
	m.open = slices.DeleteFunc(m.open, func(c connection) bool { return c.node == n })
	if m.rand.IntN(2) == 0 {
		n.kill()
	} else {
		n.Close()
	}
	m.nodes[slices.Index(m.nodes, n)] = open(m.t, m.b)
}

func (m *model) leave(i int) {
	m.open[i].leave()
	m.open = slices.Delete(m.open, i, i+1)
}

// rest lets every link work, and waits until nothing changes any more.
func (m *model) rest() {
	for _, n := range m.nodes {
		n.link.cut(false)
		n.link.slow(0)
	}
	time.Sleep(time.Minute)
}

func (m *model) check(seed uint64) {
	for i := range 3 {
		subject := fmt.Sprint("chat.", i)
		names, unnamed := map[string]bool{}, 0
		for _, c := range m.open {
			switch {
			case c.subject != subject:
			case c.name == "":
				unnamed++
			default:
				names[c.name] = true
			}
		}
		var want []string
		for name := range names {
			want = append(want, name)
		}
		slices.Sort(want)
		state := m.b.state(subject)
		if got := m.b.names(subject); !slices.Equal(got, want) || state.Count != len(want)+unnamed {
			m.t.Errorf("seed %d, %s: %d members, %v; want %d, %v", seed, subject, state.Count, got, len(want)+unnamed, want)
		}
		if len(want)+unnamed == 0 && m.b.value(subject) != nil {
			m.t.Errorf("seed %d: an empty room has a value", seed)
		}
	}
}

// TestTenBridgesOnOneRoom: every member is listed, whoever was faster, and each leave is told once.
func TestTenBridgesOnOneRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		var nodes []*node
		var leaves []func()
		for range 10 {
			n := open(t, b)
			n.link.slow(2 * time.Millisecond)
			nodes = append(nodes, n)
		}
		for i := range 100 {
			leaves = append(leaves, nodes[i%10].join("chat.a", fmt.Sprintf("%02d", i)))
			time.Sleep(7 * time.Millisecond)
		}
		time.Sleep(settle)
		if s := b.state("chat.a"); s.Count != 100 {
			t.Errorf("count %d; want 100", s.Count)
		}
		var total presence.Stats
		for _, n := range nodes {
			s := n.Stats()
			total.Conflicts += s.Conflicts
			total.Writes += s.Writes
			total.Failures += s.Failures
		}
		t.Logf("100 members on 10 bridges within 0.7 s: %d writes, of which %d met another's", total.Writes, total.Conflicts)
		for _, leave := range leaves[:99] {
			leave()
		}
		time.Sleep(settle + 10*time.Second)
		told := map[string]int{}
		for _, e := range b.events() {
			told[e]++
		}
		for i := range 99 {
			if name := fmt.Sprintf("%02d", i); told["join "+name] != 1 || told["leave "+name] != 1 {
				t.Errorf("of %s: %d joins, %d leaves told", name, told["join "+name], told["leave "+name])
			}
		}
	})
}
