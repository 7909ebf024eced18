package source_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// message is the JSON of a message's event.
type message struct {
	Subject    string              `json:"subject"`
	ID         string              `json:"id"`
	Event      string              `json:"event"`
	Headers    map[string][]string `json:"headers"`
	Data       string              `json:"data"`
	DataBase64 []byte              `json:"data_base64"`
}

func parseMessage(event bridgetest.Event) (message, error) {
	var m message
	if err := json.Unmarshal([]byte(event.Data), &m); err != nil || m.Subject == "" {
		return m, fmt.Errorf("got %+v, want a message", event)
	}
	name := m.Event
	if name == "" {
		name = "message"
	}
	if event.Type != name || !slices.Contains(strings.Split(event.ID, "."), m.ID) { // of several streams, the event's has a part for each
		return m, fmt.Errorf("the event %+v is not named and numbered as its object says", event)
	}
	return m, nil
}

func gapReason(t testing.TB, event bridgetest.Event) string {
	t.Helper()
	var gap struct{ After, First, Reason string }
	if err := json.Unmarshal([]byte(event.Data), &gap); err != nil {
		t.Fatalf("the gap %+v: %v", event, err)
	}
	after, err := bridge.ParseID(gap.After)
	if err != nil {
		t.Fatalf("the gap %+v: after: %v", event, err)
	}
	first, err := bridge.ParseID(gap.First)
	if err != nil {
		t.Fatalf("the gap %+v: first: %v", event, err)
	}
	isLater := slices.ContainsFunc(first, func(at bridge.Position) bool {
		i := slices.IndexFunc(after, func(had bridge.Position) bool { return had.Epoch == at.Epoch })
		return i < 0 || after[i].Seq < at.Seq
	})
	if gap.First != event.ID || !isLater {
		t.Fatalf("the gap %+v does not go from a position to its own, later one", event)
	}
	return gap.Reason
}
