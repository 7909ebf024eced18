package bridgetest

import "slices"

// Rules say which gaps and resets a test has caused. The zero value is the strictest.
type Rules struct {
	Gaps   []string // allowed reasons of gaps: the test has lost something
	Resets []string // allowed reasons of resets
}

// Check compares what each client saw with what was published, and returns every broken promise:
//
//   - from where a client began, it sees each acknowledged message on its subjects exactly once, in order, except for what a gap or a
//     reset has announced before anything later;
//   - it sees a message of unknown fate at most once, and a refused message never;
//   - each connection begins with one open, gap or reset. If it continues exactly, it does so at the id that the client sent;
//   - each message has an id, and ids grow; the same message has the same id for every client.
func (l *Ledger) Check(rules Rules) Violations {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &check{ledger: l, rules: rules, unnamed: map[uint64]*Message{}}
	for _, m := range l.messages {
		m.positions = map[string]position{}
		if key(m.Event, m.Data) == "" {
			c.unnamed[m.seq] = m
		}
	}
	var walks []*walk
	for _, log := range l.logs {
		w := &walk{check: c, log: log}
		w.run()
		walks = append(walks, w)
	}
	for _, w := range walks { // all positions are known only now
		for i, s := range w.segments {
			w.missing(s, i == len(w.segments)-1)
		}
		if len(w.segments) == 0 {
			w.at = max(0, len(w.log.entries)-1)
			w.broken("the client never got an opening")
		}
	}
	return c.violations
}

type check struct {
	ledger     *Ledger
	rules      Rules
	violations Violations
	unnamed    map[uint64]*Message // that differ only by their sequence
}

// most is how many violations are looked for.
const most = 1000

// missing finds messages that the client was owed in a segment and did not see. In the last segment every message is owed, in the
// others those before the position where the segment ended.
func (w *walk) missing(s *segment, isLast bool) {
	life := s.life
	if life == unsure {
		life = w.ledger.life()
		if !isLast {
			return // it saw nothing that shows which life it followed
		}
	}
	if isLast && life != w.ledger.life() && w.anythingIn(w.ledger.life()) {
		w.at = len(w.log.entries) - 1
		w.broken("the client was never told that the stream was created again")
	}
	for _, m := range w.ledger.messages {
		if !m.owed(life) || s.seen[m] || !matches(w.log.Subjects, m.Subject) {
			continue
		}
		seq := m.seq
		if s.start.unstored() {
			seq = 0 // positions of a process say nothing about the stream
		} else if seq == 0 {
			seq = m.positions[s.start.epoch].seq
		}
		if s.owes(m, seq, isLast) {
			if len(w.violations) < most {
				w.at = w.where(s, seq)
			}
			w.broken("lost: %q on %s, sequence %d", shorten(m.Data), m.Subject, seq)
		}
	}
}

// owes reports whether the client had to see a message of the segment's life in that segment. Messages published after the client was
// told that it is open are owed, wherever the segment begins.
func (s *segment) owes(m *Message, seq uint64, isLast bool) bool {
	if seq == 0 {
		return isLast && m.begun > s.begun && len(s.gaps) == 0
	}
	if !isLast && seq > s.until || seq <= s.start.seq && m.begun < s.begun {
		return false
	}
	return !slices.ContainsFunc(s.gaps, func(g stretch) bool { return g.after < seq && seq <= g.first })
}

func (w *walk) anythingIn(life int) bool {
	return slices.ContainsFunc(w.ledger.messages, func(m *Message) bool { return m.owed(life) && matches(w.log.Subjects, m.Subject) })
}

// where returns the entry before which a sequence should have been.
func (w *walk) where(s *segment, seq uint64) int {
	for i := s.first; i < len(w.log.entries); i++ {
		if at, isPosition := parsePosition(w.log.entries[i].event.ID); isPosition && at.seq > seq {
			return i
		}
	}
	return len(w.log.entries) - 1
}

func shorten(data string) string {
	if len(data) <= longest {
		return data
	}
	return data[:longest] + "…"
}
