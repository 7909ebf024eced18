package bridge_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// The first event says when to reconnect, and how long silence lasts at most. A later gap or reset says neither.
func TestFirstEventGreets(t *testing.T) {
	for kind, resume := range map[string]bridge.Resume{
		bridge.EventOpen:  {},
		bridge.EventGap:   {After: bridge.ID{{Epoch: "e1", Seq: 1}}},
		bridge.EventReset: {Malformed: true},
	} {
		for _, format := range []bridge.Format{bridge.Raw, bridge.JSON, bridge.Lines} {
			t.Run(fmt.Sprint(kind, format), func(t *testing.T) {
				hub, source := newHub(t, bridge.Memory{Frames: 2, Bytes: 1 << 20})
				reader := readIn(t, hub, bridge.Framing{Format: format}, resume, "a")
				reader.Greet(1500*time.Millisecond, 15*time.Second)
				feed := source.feed(t)
				feed.Begin(unstored(at(5)))
				first := string(bytes.Join(frames(t, reader), nil))
				heartbeat := `,"heartbeat":15}`
				if format == bridge.Lines {
					heartbeat = strings.ReplaceAll(heartbeat, `"`, `\"`)
				}
				if !strings.Contains(first, kind) || strings.Count(first, heartbeat) != 1 {
					t.Errorf("it begins with %q", first)
				}
				if wants := format != bridge.Lines; strings.HasPrefix(first, "retry: 1500\nevent: ") != wants || strings.Count(first, "\n\n") > 1 {
					t.Errorf("it begins with %q", first)
				}
				for i := range 5 { // more than the feed holds
					feed.Append(&bridge.Message{Subject: "a", Position: at(uint64(6 + i))})
				}
				later := string(bytes.Join(frames(t, reader), nil))
				if !strings.Contains(later, bridge.EventGap) || strings.Contains(later, "heartbeat") || strings.Contains(later, "retry") {
					t.Errorf("later comes %q", later)
				}
			})
		}
	}
}
