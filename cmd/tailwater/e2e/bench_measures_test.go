package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/load"
)

// bench runs the command against a node, and gives what it measured.
func bench(t *testing.T, n *testNode, args ...string) load.Report {
	t.Helper()
	args = append([]string{"bench", "--json", "--settle=0s", "--patience=30s", "--duration=30s", "--url", n.URL() + "/events/{subject}"}, args...)
	code, out, stderr := call(t, nil, args...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var report load.Report
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return report
}

// benched is a node that everybody may measure.
func benched(t *testing.T, more settings) *testNode {
	s := settings{"ANONYMOUS_SUBSCRIBE": "bench.>,chat.>", "ANONYMOUS_PUBLISH": "bench.>,chat.>", "LIMIT_PUBLISH_RATE": "0"}
	maps.Copy(s, more)
	return startNode(t, s)
}

func TestBench(t *testing.T) {
	t.Parallel()
	n := benched(t, nil)
	post := n.URL() + "/events/{subject}"
	for _, test := range []struct {
		name       string
		args       []string
		deliveries int
	}{
		{"NATS at a pace", []string{"--nats", n.NATSURL(), "--connections=50", "--rate=500", "--messages=50"}, 50 * 50},
		{"NATS in flight, several subjects", []string{"--nats", n.NATSURL(), "--connections=60", "--subjects=20", "--in-flight=16", "--messages=400"}, 400 * 3},
		{"POST", []string{"--post", post, "--connections=50", "--subjects=5", "--in-flight=8", "--messages=100", "--size=2000"}, 100 * 10},
		{"POST, stored", []string{"--post", post, "--subject=chat.{n}", "--connections=20", "--rate=1000", "--messages=100"}, 100 * 20},
		{"objects", []string{"--nats", n.NATSURL(), "--url", post + "?format=json", "--connections=5", "--rate=1000", "--messages=50"}, 50 * 5},
		{"lines", []string{"--nats", n.NATSURL(), "--header=Accept: application/x-ndjson", "--connections=5", "--rate=1000", "--messages=50"}, 50 * 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := bench(t, n, test.args...)
			d := r.Deliveries
			d.PerSecond, d.Bytes = 0, 0
			if want := (load.Deliveries{Expected: test.deliveries, Received: test.deliveries}); d != want {
				t.Errorf("deliveries: %+v, want %+v", d, want)
			}
			if r.Messages.Failed > 0 || r.Connections.Closed > 0 || r.Latency == nil || r.Latency.P50 <= 0 || len(r.Notes) > 0 {
				t.Errorf("it says %+v", r)
			}
		})
	}
}

// Clients that read nothing are cut by the bridge, and the others have everything all the same: what is published is less
// than a feed's memory, so that nobody can lose any of it for being slow.
func TestBenchWithStalledClients(t *testing.T) {
	t.Parallel()
	n := benched(t, settings{"LIMIT_WRITE_TIMEOUT": "1s"})
	r := bench(t, n, "--nats", n.NATSURL(), "--connections=5", "--stalled=3", "--size=16384", "--rate=50", "--messages=200")
	if c := r.Connections; c.Stalled != 3 || c.StalledClosed != 3 || c.Closed != 0 {
		t.Errorf("connections: %+v", c)
	}
	if d := r.Deliveries; d.Received != 5*200 || d.Lost != 0 {
		t.Errorf("deliveries: %+v", d)
	}
}

func TestBenchIdle(t *testing.T) {
	t.Parallel()
	n := benched(t, nil)
	args := []string{"--idle", "--connections=50"}
	if runtime.GOOS == "linux" {
		args = append(args, "--pid", strconv.Itoa(os.Getpid())+","+strconv.Itoa(os.Getppid()))
	}
	r := bench(t, n, args...)
	if r.Connections.Opened != 50 || r.Publisher != "none" || r.Messages.Published != 0 {
		t.Errorf("it says %+v", r)
	}
	if s := r.Server; s != nil && (len(s.PIDs) != 2 || s.RSSOpen < 1<<20) {
		t.Errorf("the server: %+v", s)
	}
}

// Scripts read these names.
func TestBenchJSONShape(t *testing.T) {
	t.Parallel()
	n := benched(t, nil)
	_, out, _ := call(t, nil, "bench", "--json", "--settle=0s", "--url", n.URL()+"/events/{subject}", "--nats", n.NATSURL(), "--messages=5", "--pid", strconv.Itoa(os.Getpid()))
	var object map[string]any
	if err := json.Unmarshal([]byte(out), &object); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	want := map[string]string{
		"":            "connections deliveries generator latency_ms limits messages notes publisher server size subjects url",
		"connections": "asked closed open_seconds opened stalled stalled_closed",
		"messages":    "asked_per_second failed per_second published seconds",
		"deliveries":  "bytes disordered duplicates expected gaps lost misdirected per_second received resets",
		"latency_ms":  "max p50 p90 p99 p99.9",
		"server":      "cpu_seconds cpu_us_per_delivery cpu_us_per_message pids processes rss_before rss_end rss_open rss_peak rss_per_connection",
		"generator":   "behind_max_ms busy cpu_seconds cpu_us_per_delivery machine_busy",
	}
	for section, names := range want {
		of, _ := object[section].(map[string]any)
		if section == "" {
			of = object
		}
		if got := strings.Join(slices.Sorted(maps.Keys(of)), " "); got != names {
			t.Errorf("%q has %s, want %s", section, got, names)
		}
	}
}

func TestBenchForPeople(t *testing.T) {
	t.Parallel()
	n := benched(t, nil)
	args := []string{"bench", "--settle=0s", "--url", n.URL() + "/events/{subject}", "--nats", n.NATSURL(), "--rate=1000", "--messages=100", "--connections=20", "--stalled=1", "--pid", strconv.Itoa(os.Getpid())}
	code, out, stderr := call(t, nil, args...)
	wantAll(t, "it", out,
		"20 connections on 1 subject", "1 connection; the server closed none", "100 messages of 128 bytes by NATS", "2,000 of 2,000",
		"0 lost, 0 twice, 0 out of order", "p99.9", "µs a delivery", "KiB each",
	)
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, and where no terminal is: %q", code, stderr)
	}
}

// A signal ends it early, and what was measured is printed.
func TestBenchIsInterrupted(t *testing.T) {
	t.Parallel()
	n := benched(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, _ := subscribe(t, n.URL()+"/events/bench.0", "")
	go func() {
		for range 10 { // the probe is one of them
			_, _ = reader.Next()
		}
		cancel()
	}()
	var out, stderr bytes.Buffer
	args := []string{"bench", "--settle=0s", "--url", n.URL() + "/events/{subject}", "--nats", n.NATSURL(), "--rate=200", "--duration=1h"}
	code := invocation{t.TempDir(), nil, args}.run(t, ctx, &out, &stderr)
	if code != 0 || !strings.Contains(out.String(), "the run was ended early") || !strings.Contains(out.String(), "0 lost") {
		t.Errorf("exit code %d: %s%s", code, out.String(), stderr.String())
	}
}

// It measures servers that are none of Tailwater's, so the settings of a bridge mean nothing to it.
func TestBenchReadsNoSettings(t *testing.T) {
	t.Parallel()
	n := benched(t, nil)
	unknown := settings{"NO_SUCH_SETTING": "x"}
	if code, _, stderr := call(t, unknown, "bench", "--settle=0s", "--url", n.URL()+"/events/{subject}", "--nats", n.NATSURL(), "--messages=5"); code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if code, _, _ := call(t, unknown, "check"); code != exitUsage {
		t.Errorf("check takes a setting that does not exist: exit code %d", code)
	}
}

func TestBenchRefusals(t *testing.T) {
	t.Parallel()
	n := benched(t, nil)
	for _, test := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"all mistakes at once", []string{"--size=3", "--connections=0", "--rate=1", "--in-flight=1"}, exitUsage, []string{"--size", "--connections", "--rate and --in-flight"}},
		{"https", []string{"--url=https://example.com/{subject}"}, exitUsage, []string{"https"}},
		{"two ways to NATS", []string{"--nats=nats://127.0.0.1", "--nats-context=x"}, exitUsage, []string{"--nats and --nats-context"}},
		{"no NATS URL", []string{"--nats=http://127.0.0.1"}, exitUsage, []string{"--nats", "scheme"}},
		{"NATS and POST", []string{"--nats=nats://127.0.0.1", "--post=http://127.0.0.1"}, exitUsage, []string{"--nats and --post"}},
		{"idle with a publisher", []string{"--idle", "--nats=nats://127.0.0.1"}, exitUsage, []string{"--idle"}},
		{"no number", []string{"--rate=fast"}, exitUsage, []string{"--rate"}},
		{"no NATS there", []string{"--nats=nats://ada:s3cret@127.0.0.1:1"}, exitFailure, []string{"connect to NATS"}},
		{"unknown context", []string{"--nats-context=no-such-context"}, exitUsage, []string{"no-such-context"}},
		{"not allowed", []string{"--nats", n.NATSURL(), "--url", n.URL() + "/events/{subject}", "--subject=secret.{n}"}, exitFailure, []string{"403", "TAILWATER_ANONYMOUS_SUBSCRIBE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, stderr := call(t, nil, append([]string{"bench"}, test.args...)...)
			if code != test.code || out != "" || strings.Contains(stderr, "s3cret") {
				t.Errorf("exit code %d, want %d: %s%s", code, test.code, out, stderr)
			}
			wantAll(t, "it", stderr, test.says...)
		})
	}
}
