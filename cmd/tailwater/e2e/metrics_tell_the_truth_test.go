package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
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

// promtool returns Prometheus's tool. Without it the test is skipped, except in CI.
func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("promtool is not installed; Debian's package is prometheus")
	}
	noError(t, err)
	return path
}

// What /metrics says is what Prometheus asks for, and everything that it says is declared, and so documented. What is declared is said, on
// bridges that have it.
func TestMetricsAreWellFormed(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, s := range []settings{
		nil,
		{"AUTH_JWKS_URL": keySet(t), "ANONYMOUS_SUBSCRIBE": "chat.>"},
	} {
		n := startNode(t, s)
		reader, _ := subscribe(t, n.URL()+"/events/chat.room1", "")
		post(t, n.URL()+"/events/chat.room1", "hello")
		reader.expect("message", "hello")
		get(t, n.URL()+"/events/a..b")
		var text string
		eventually(t, "keys and revocations have been read", func() bool {
			_, text = get(t, n.AdminURL()+"/metrics")
			return s == nil || strings.Contains(text, "\ntailwater_auth_keys_timestamp_seconds ") && strings.Contains(text, "\ntailwater_auth_revocations_timestamp_seconds ")
		})
		for _, match := range regexp.MustCompile(`(?m)^# TYPE (tailwater_\S+) (\S+)$`).FindAllStringSubmatch(text, -1) {
			said[match[1]] = true
			if !slices.ContainsFunc(node.Metrics(), func(m node.Metric) bool { return m.Name == match[1] && m.Type == match[2] }) {
				t.Errorf("%s, a %s, is not declared", match[1], match[2])
			}
		}
		if s == nil {
			check := exec.Command(promtool(t), "check", "metrics")
			check.Stdin = strings.NewReader(text)
			if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("promtool: %v: %s", err, out)
			}
		}
	}
	for _, metric := range node.Metrics() {
		isRare := slices.Contains([]string{"tailwater_nats_silence_seconds", "tailwater_nats_last_error_timestamp_seconds"}, metric.Name)
		if !said[metric.Name] && !isRare {
			t.Errorf("%s is declared, and no bridge says it", metric.Name)
		}
	}
}

// keySet serves a key set with one key.
func keySet(t *testing.T) string {
	const key = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","use":"sig","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, key) }))
	t.Cleanup(server.Close)
	return server.URL
}

// How connections resume, what replays come to, and how many requests each route has, are counted once each.
func TestResultsAreCounted(t *testing.T) {
	t.Parallel()
	n := startNode(t, settings{"PRESENCE": "", "ROUTES": "/room/{room}=chat.{room}", "DEMO_TIME": "false"})
	reader, opened := subscribe(t, n.URL()+"/room/one", "")
	post(t, n.URL()+"/room/one", "first")
	reader.expect("message", "first")
	post(t, n.URL()+"/room/one", "second")
	reader.expect("message", "second")
	again, _ := subscribe(t, n.URL()+"/room/one", opened.ID)
	again.expect("message", "first")
	subscribe(t, n.URL()+"/room/one", "no id")
	all, _ := subscribe(t, n.URL()+"/room/one?since=all", "")
	for range 2 {
		all.next()
	}
	all.expect("tailwater:synced", "{}")
	get(t, n.URL()+"/room/a%20b")
	for name, want := range map[string]int64{
		`resumes_total{reason="",result="exact"}`:                            1,
		`resumes_total{reason="malformed",result="reset"}`:                   1,
		`resumes_total{reason="retention",result="gap"}`:                     0,
		`replays_total{result="complete"}`:                                   1,
		`replays_total{result="abandoned"}`:                                  0,
		`route_requests_total{method="POST",route="/room/{room}"}`:           2,
		`route_requests_total{method="GET",route="/room/{room}"}`:            5,
		`route_problems_total{code="400",method="GET",route="/room/{room}"}`: 1,
		`post_duration_seconds_count`:                                        2,
		`nats_tap_lag_messages`:                                              0,
		`connections_behind`:                                                 0,
		`nats_errors_total{kind="lost"}`:                                     0,
	} {
		if got := n.figure(t, "tailwater_"+name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	// The first message of a quiet subject is measured, and then one write in a millisecond; what was replayed is not.
	delays := func() int64 { return n.figure(t, "tailwater_delivery_delay_seconds_count") }
	measured := delays()
	if measured < 1 || measured > 3 {
		t.Errorf("%d delays were measured", measured)
	}
	post(t, n.URL()+"/room/one", "later")
	eventually(t, "a later message is measured", func() bool { return delays() > measured })
}
