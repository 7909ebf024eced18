package bridgetest

// Log is the log of one client, in order.
type Log struct {
	Name     string
	Subjects []string // subjects, or filters that end in >, that it reads
	JSON     bool     // data is the object of format=json

	ledger  *Ledger
	entries []entry
}

// entry is one line of a log.
type entry struct {
	kind  entryKind
	tick  uint64
	event Event  // of entryEvent
	id    string // of entryConnected: the Last-Event-ID that the client sent
	note  string // otherwise the node, or what happened
}

type entryKind uint8

const (
	entryConnected entryKind = iota
	entryEvent
	entryEnded
	entryBroken
)

// NewLog starts the log of a client that reads those subjects.
func (l *Ledger) NewLog(name string, json bool, subjects ...string) *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := &Log{Name: name, Subjects: subjects, JSON: json, ledger: l}
	l.logs = append(l.logs, log)
	return log
}

// Connected records that the client asked a node for events after the id, which is empty the first time.
func (g *Log) Connected(node, lastEventID string) {
	g.add(entry{kind: entryConnected, note: node, id: lastEventID})
}

// Saw records an event that arrived whole.
func (g *Log) Saw(event Event) { g.add(entry{kind: entryEvent, event: event}) }

// Ended records how the connection ended, or why it failed.
func (g *Log) Ended(how string) { g.add(entry{kind: entryEnded, note: how}) }

// Broke records what must never happen to a client, such as a status that ends a browser's EventSource for good.
func (g *Log) Broke(what string) { g.add(entry{kind: entryBroken, note: what}) }

func (g *Log) add(added entry) {
	g.ledger.mu.Lock()
	defer g.ledger.mu.Unlock()
	added.tick = g.ledger.tick()
	g.entries = append(g.entries, added)
}
