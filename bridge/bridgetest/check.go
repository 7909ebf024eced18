package bridgetest

import "slices"

// Rules say what a test has given the bridge reason to do. The zero value is the strictest.
type Rules struct {
	Gaps   []string // the reasons for which gaps are in order: something was lost
	Resets []string // the reasons for which resets are
}

// Check holds what each client saw against what was published, and gives everything that breaks a promise:
//
//   - from where a client began, each acknowledged message on its subjects exactly once, in order, but for what a gap or a
//     reset has announced before anything later;
//   - what has an unknown fate at most once, what was refused never;
//   - each connection begins with one open, gap or reset, and where it continues exactly, at the id that it brought;
//   - each message has an id, and they grow; the same message has the same id for everybody.
func (l *Ledger) Check(rules Rules) Violations {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &check{ledger: l, rules: rules, unnamed: map[uint64]*Message{}}
	for _, m := range l.messages {
		m.places = map[string]place{}
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
	for _, w := range walks { // only now all places are known
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
	unnamed    map[uint64]*Message // that only their sequence tells apart
}

// most is how many violations are found; then it is clear enough.
const most = 1000

// missing finds what the client was owed in a segment and did not see. To the last one everything is owed that there is,
// to the others what lies before the place at which they ended.
func (w *walk) missing(s *segment, isLast bool) {
	life := s.life
	if life == unsure {
		life = w.ledger.life()
		if !isLast {
			return // it saw nothing that tells which life it followed
		}
	}
	if isLast && life != w.ledger.life() && w.anythingIn(w.ledger.life()) {
		w.at = len(w.log.entries) - 1
		w.broken("the client was never told that the stream was made anew")
	}
	for _, m := range w.ledger.messages {
		if !m.owed(life) || s.seen[m] || !matches(w.log.Subjects, m.Subject) {
			continue
		}
		seq := m.seq
		if seq == 0 {
			seq = m.places[s.start.epoch].seq
		}
		if s.owes(m, seq, isLast) {
			if len(w.violations) < most {
				w.at = w.where(s, seq)
			}
			w.broken("lost: %q on %s, sequence %d", shorten(m.Data), m.Subject, seq)
		}
	}
}

// owes tells whether a message of the segment's life had to be seen in it. What was published after the client was told
// that it is open is owed wherever that said it begins.
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

// where gives the entry that a sequence should have been before.
func (w *walk) where(s *segment, seq uint64) int {
	for i := s.first; i < len(w.log.entries); i++ {
		if at, isPlace := parsePlace(w.log.entries[i].event.ID); isPlace && at.seq > seq {
			return i
		}
	}
	return len(w.log.entries) - 1
}
