package e2e

import (
	"strings"
	"testing"
)

// What is held, and what may be, is told in metrics.
func TestMemoryIsMeasured(t *testing.T) {
	t.Parallel()
	n := startNode(t, settings{"MEMORY": "8MiB", "DEMO_TIME": "false"})
	reader, _ := subscribe(t, n.URL()+"/events/chat.room1", "")
	post(t, n.URL()+"/events/chat.room1", strings.Repeat("x", 10_000))
	if event := reader.next(); len(event.Data) != 10_000 {
		t.Fatalf("%+v", event)
	}
	for part, most := range map[string]int64{"frames": 2 << 20, "pages": 2 << 20, "bodies": 4 << 20, "intake": 2 << 20} {
		if got := n.figure(t, `tailwater_memory_limit_bytes{part="`+part+`"}`); got != most {
			t.Errorf("%s may hold %d bytes, want %d", part, got, most)
		}
	}
	if held := n.figure(t, `tailwater_memory_bytes{part="frames"}`); held < 10_000 || held > 20_000 {
		t.Errorf("the frame of a message of 10,000 bytes counts as %d", held)
	}
	eventually(t, "no body is held", func() bool { return n.figure(t, `tailwater_memory_bytes{part="bodies"}`) == 0 })
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	n := startNode(t, settings{"PRESENCE": ""}) // the bridge reads and writes members, too
	reader, _ := subscribe(t, n.URL()+"/events/chat.secretroom", "")
	post(t, n.URL()+"/events/chat.secretroom", "hello")
	reader.expect("message", "hello")
	get(t, n.URL()+"/events/a..b")
	get(t, n.URL()+"/events/chat.secretroom?poll=1")
	_, text := get(t, n.AdminURL()+"/metrics")
	for _, line := range []string{
		`tailwater_connections{writer="loop"} 1`, "tailwater_feeds 2", "tailwater_events_in_total 1", "tailwater_bytes_in_total 5",
		`tailwater_publishes_total{result="accepted"} 1`, "tailwater_requests_refused_total 1", "tailwater_nats_connected 1",
		`tailwater_connections_closed_total{reason="slow"} 0`, `tailwater_gaps_total{reason="disconnected"} 0`,
		"tailwater_polls_total 1", "tailwater_polls_cut_total 0",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
	if strings.Contains(text, "secretroom") || strings.Contains(text, "127.0.0.1") {
		t.Error("a metric names a subject or an address")
	}
}
