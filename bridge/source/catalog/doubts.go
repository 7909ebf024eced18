package catalog

import (
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// todo is what the table has to read.
type todo struct {
	look    bool                    // all streams, or those that are due
	names   map[string]time.Time    // and when JetStream announced them
	filters map[bridge.Subject]bool // for which the overlapping streams are needed
}

// Doubt makes the table read a stream again, after an observation that contradicts the table.
func (t *Table) Doubt(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubts.names[name] = time.Now()
	js.Wake(t.wake)
}

// Look makes the table compare itself with JetStream, in case advisories are missing: see due.
func (t *Table) Look() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubts.look = true
	js.Wake(t.wake)
}

// advised handles an advisory about a stream. All advisories during one reading cause one more.
func (t *Table) advised(msg *nats.Msg) {
	kind, name, _ := strings.Cut(strings.TrimPrefix(msg.Subject, "$JS.EVENT.ADVISORY.STREAM."), ".")
	if kind == "LEADER_ELECTED" {
		t.api.AskAgain()
	}
	switch kind {
	case "CREATED", "UPDATED", "DELETED", "RESTORE_COMPLETE", "LEADER_ELECTED":
		t.Doubt(name)
	}
}

// take returns, and removes, what is to be read. If the reading fails, putBack restores it.
func (t *Table) take() todo {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.doubts
	t.doubts = newTodo()
	return taken
}

func newTodo() todo { return todo{names: map[string]time.Time{}, filters: map[bridge.Subject]bool{}} }

func (t *Table) putBack(work todo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubts.look = t.doubts.look || work.look
	for name, told := range work.names {
		if _, again := t.doubts.names[name]; !again { // otherwise it was announced again since
			t.doubts.names[name] = told
		}
	}
	maps.Copy(t.doubts.filters, work.filters)
}
