package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// runsMemory is what the process may have for events, pages and bodies here, and runsBase what it needs beside that: Go, the embedded
	// server, and its connections. NATS keeps files of the stream of answers in memory while they are written: as many as the stream has,
	// and as many again until Go has collected them.
	runsMemory, runsBase = 64 << 20, 256 << 20
	runsAnswers          = 2 * 64 << 20
	runsAttackers        = 100
)

// While one address asks, reads, stops and abandons runs as fast as it can, another one's messages take less than two seconds, and the memory of
// the process is bounded, also if the answers are large or long. It measures time, so it needs the processors for itself.
func TestChaosFloodOfRuns(t *testing.T) {
	onlySoak(t)
	invented := func() string { return "/answers/" + rand.Text() }
	for name, attack := range map[string]func(base string, i int64) (method, url string, headers []string){
		"nobody answers": func(base string, _ int64) (string, string, []string) {
			return "POST", base + "/ask/never", []string{asStream}
		},
		"abandoned": func(base string, _ int64) (string, string, []string) {
			return "POST", base + "/ask/never", []string{"Prefer: respond-async"}
		},
		"settled": func(base string, _ int64) (string, string, []string) { return "POST", base + "/ask/one", nil },
		"one key": func(base string, _ int64) (string, string, []string) {
			return "POST", base + "/ask/many", []string{asStream, "Idempotency-Key: same"}
		},
		"large": func(base string, _ int64) (string, string, []string) {
			return "POST", base + "/ask/large", []string{asStream}
		},
		"long": func(base string, _ int64) (string, string, []string) {
			return "POST", base + "/ask/many", []string{asStream}
		},
		"many keys": func(base string, i int64) (string, string, []string) {
			return "POST", base + "/ask/one", []string{fmt.Sprint("Idempotency-Key: k", i)}
		},
		"invented":         func(base string, _ int64) (string, string, []string) { return "GET", base + invented(), nil },
		"invented stopped": func(base string, _ int64) (string, string, []string) { return "DELETE", base + invented(), nil },
	} {
		t.Run(name, func(t *testing.T) {
			p := startProcess(t, "TAILWATER_MEMORY=64MiB", "TAILWATER_LIMIT_PUBLISH_RATE=0", "TAILWATER_LIMIT_RUNS=20", "TAILWATER_LIMIT_CONNECTIONS_PER_IP=200",
				"TAILWATER_LIMIT_READ_RATE=200/s", "TAILWATER_ROUTES=ASK /ask/{model}=llm.{model}", "TAILWATER_ANONYMOUS_PUBLISH=chat.>,llm.>")
			work(t, p.nats, "llm.never", func(*nats.Msg) {})
			work(t, p.nats, "llm.one", replies("x", ""))
			work(t, p.nats, "llm.large", replies(strings.Repeat("x", 1<<20-1000), ""))
			work(t, p.nats, "llm.many", func(m *nats.Msg) {
				for range 10_000 {
					_ = m.Respond([]byte("chunk"))
				}
				_ = m.Respond(nil)
			})
			other := startWitness(t, from(t, nil), p.http+"/events/chat.room1")
			before := resident(t, p)
			ctx, cancel := context.WithTimeout(t.Context(), 2*floodTime)
			defer cancel()
			var flooding sync.WaitGroup
			var count, most atomic.Int64
			var told sync.Map
			for range runsAttackers {
				flooding.Go(func() {
					for ctx.Err() == nil {
						method, url, headers := attack(p.http, count.Add(1))
						told.Store(hit(ctx, method, url, headers), true)
					}
				})
			}
			look := time.NewTicker(50 * time.Millisecond)
			defer look.Stop()
			for ctx.Err() == nil {
				most.Store(max(most.Load(), resident(t, p)))
				<-look.C
			}
			flooding.Wait()
			other.stop()
			var statuses []any
			told.Range(func(status, _ any) bool { statuses = append(statuses, status); return true })
			t.Logf("%d requests, answered %v; %d MiB resident before, %d at most", count.Load(), statuses, before>>20, most.Load()>>20)
			if most.Load() > runsMemory+runsBase+runsAnswers {
				t.Errorf("%d MiB are resident", most.Load()>>20)
			}
			expectPost(t, "afterwards", newcomer(t, from(t, nil)), p.http+"/events/chat.room1")
		})
	}
}

// hit sends a request, and leaves a while after the headers; it returns the status.
func hit(ctx context.Context, method, url string, headers []string) int {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(strings.Repeat("q", 100)))
	if err != nil {
		return -1
	}
	if method != http.MethodPost {
		r.Body, r.ContentLength = nil, 0
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 4<<10)
	return response.StatusCode
}

// resident returns the memory of a process, in bytes.
func resident(t *testing.T, p *process) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	noError(t, err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kilobytes int64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}
