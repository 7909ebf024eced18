package bridgetest

import (
	"strings"
	"sync"
	"testing"
)

// Ledger is the record of all publishers and clients of a test; Check compares the two sides. Every entry has a number that only grows,
// so that the order of two entries is known.
type Ledger struct {
	mu       sync.Mutex
	now      uint64
	lives    []uint64 // when each life of the stream but the last ended; see Disturb
	messages []*Message
	byKey    map[string]*Message
	logs     []*Log
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger { return &Ledger{byKey: map[string]*Message{}} }

// Message is a message that was published, or may have been: while its fate is unknown, clients may see it once or not at all.
type Message struct {
	Subject string
	Event   string // the event name of the publisher, if any
	Data    string // unique in the ledger; if empty, Event is unique, and if both are empty, the sequence decides

	ledger       *Ledger
	begun        uint64 // when the publisher began; never 0
	acknowledged uint64 // when the publisher got the acknowledgement; 0 if never
	refused      bool
	life         int
	seq          uint64 // in its stream, from the acknowledgement; 0 if unknown

	// positions is where clients have seen it, by epoch. Only Check uses it.
	positions map[string]position
}

// Publish records that a publisher will send a message, perhaps several times until it is answered.
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

// key identifies a message.
func key(event, data string) string {
	if data == "" && event != "" {
		return "event " + event
	}
	return data
}

// Acknowledged records that the publisher got an acknowledgement: from now on every client must see the message. seq is the sequence in
// the acknowledgement, or 0.
func (m *Message) Acknowledged(seq uint64) {
	m.ledger.mu.Lock()
	defer m.ledger.mu.Unlock()
	m.acknowledged, m.seq = m.ledger.tick(), seq
	if m.ledger.life() != m.life || m.life%2 == 1 {
		m.life = unsure
	}
}

// Refused records that the message was refused for certain: no client may see it.
func (m *Message) Refused() {
	m.ledger.mu.Lock()
	defer m.ledger.mu.Unlock()
	m.refused = true
}

// unsure is the life of a message that was being published while Disturb ran.
const unsure = -1

// Disturb runs what destroys messages: a stream is deleted, or restored from a backup. Messages acknowledged before belong to another life
// than those after it. Messages that were being published meanwhile are owed to no client.
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

// life returns the number of the present life, from 0; odd while Disturb runs. The lock must be held.
func (l *Ledger) life() int { return len(l.lives) }

// disturbed returns when the Disturb before that life began. The lock must be held.
func (l *Ledger) disturbed(life int) uint64 {
	if life < 2 {
		return 0
	}
	return l.lives[life-2]
}

// owed reports whether a client that follows this life must see the message.
func (m *Message) owed(life int) bool {
	return m.acknowledged > 0 && m.life == life && life%2 == 0
}

// tick returns the next number. The lock must be held.
func (l *Ledger) tick() uint64 {
	l.now++
	return l.now
}

// Counts returns how many messages were acknowledged and how many events clients have logged, for a test's report.
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

// Published returns how many messages publishers have sent, perhaps several times each.
func (l *Ledger) Published() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.messages)
}

// matches reports whether one of the filters, each a subject or one that ends in >, includes a subject.
func matches(filters []string, subject string) bool {
	for _, filter := range filters {
		above, wild := strings.CutSuffix(filter, ">")
		if filter == subject || wild && strings.HasPrefix(subject, above) {
			return true
		}
	}
	return false
}
