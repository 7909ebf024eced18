package bridgetest

import (
	"strings"
	"sync"
	"testing"
)

// Ledger is what publishers and clients noted while a test did its worst; Check holds one against the other. Everything
// that is noted bears a number that only grows, so that of two things it is known which came first.
type Ledger struct {
	mu       sync.Mutex
	now      uint64
	lives    []uint64 // when each life of what is stored ended, but the last; see Disturb
	messages []*Message
	byKey    map[string]*Message
	logs     []*Log
}

// NewLedger gives an empty ledger.
func NewLedger() *Ledger { return &Ledger{byKey: map[string]*Message{}} }

// Message is one that was published, or may have been: while nobody has said what became of it, clients may see it once
// or not at all.
type Message struct {
	Subject string
	Event   string // the name that the publisher gave it, if any
	Data    string // unique in the ledger; where it is empty the event's name is, and without one the sequence tells

	ledger       *Ledger
	begun        uint64 // when the publisher began; never 0
	acknowledged uint64 // when it was told that the message has arrived; 0 if it never was
	refused      bool
	life         int
	seq          uint64 // in its stream, as the acknowledgement said; 0 where that said nothing

	// places is where clients have seen it, by epoch. It belongs to the check.
	places map[string]place
}

// Publish notes that a publisher is about to send a message, perhaps several times until there is an answer.
func (l *Ledger) Publish(t testing.TB, subject, event, data string) *Message {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &Message{Subject: subject, Event: event, Data: data, ledger: l, begun: l.tick(), life: l.life()}
	if key := key(event, data); key != "" {
		if l.byKey[key] != nil {
			t.Fatalf("the test publishes two messages that cannot be told apart: %q", key)
		}
		l.byKey[key] = m
	}
	l.messages = append(l.messages, m)
	return m
}

// key tells messages apart.
func key(event, data string) string {
	if data == "" && event != "" {
		return "event " + event
	}
	return data
}

// Acknowledged notes that the publisher was told that the message has arrived: from now on it is owed to everybody. The
// sequence is what the acknowledgement said, or 0.
func (m *Message) Acknowledged(seq uint64) {
	m.ledger.mu.Lock()
	defer m.ledger.mu.Unlock()
	m.acknowledged, m.seq = m.ledger.tick(), seq
	if m.ledger.life() != m.life {
		m.life = unsure
	}
}

// Refused notes that the message was not accepted, for certain: nobody may see it.
func (m *Message) Refused() {
	m.ledger.mu.Lock()
	defer m.ledger.mu.Unlock()
	m.refused = true
}

// unsure is the life of a message that was under way while what is stored was disturbed.
const unsure = -1

// Disturb runs what destroys messages behind everybody's back: a stream is deleted, or set back to an earlier copy. What
// was acknowledged before belongs to another life than what follows, and what was under way meanwhile is owed to nobody.
func (l *Ledger) Disturb(disturb func()) {
	l.endLife()
	defer l.endLife()
	disturb()
}

func (l *Ledger) endLife() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lives = append(l.lives, l.tick())
}

// life counts from 0; it is odd while Disturb runs. The lock must be held.
func (l *Ledger) life() int { return len(l.lives) }

// disturbed tells when that life was about to be begun. The lock must be held.
func (l *Ledger) disturbed(life int) uint64 {
	if life < 2 {
		return 0
	}
	return l.lives[life-2]
}

// owed tells whether a client that follows this life must see the message.
func (m *Message) owed(life int) bool {
	return m.acknowledged > 0 && m.life == life && life%2 == 0
}

// tick gives the next number. The lock must be held.
func (l *Ledger) tick() uint64 {
	l.now++
	return l.now
}

// Counts tells how many messages were acknowledged and how many events clients have noted, for a test's report.
func (l *Ledger) Counts() (acknowledged, events, connections int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.messages {
		if m.acknowledged > 0 {
			acknowledged++
		}
	}
	for _, log := range l.logs {
		for i := range log.entries {
			switch log.entries[i].kind {
			case entryEvent:
				events++
			case entryConnected:
				connections++
			}
		}
	}
	return acknowledged, events, connections
}

// matches tells whether one of the filters, each a subject or one that ends in a > wildcard, takes in a subject.
func matches(filters []string, subject string) bool {
	for _, filter := range filters {
		above, wild := strings.CutSuffix(filter, ">")
		if filter == subject || wild && strings.HasPrefix(subject, above) {
			return true
		}
	}
	return false
}
