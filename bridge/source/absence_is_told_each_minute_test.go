package source_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// While NATS is away the log says so each minute: where it should be, since when, and why. nats.go's connections cannot run on the time of
// a bubble, so TestAbsenceIsLogged proves that the source asks for these lines.
func TestAbsenceIsToldEachMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		a := source.NewAbsence(slog.New(slog.NewTextHandler(&log, nil)), func() string { return "nats://nats.example.com:4222" })
		const away = `level=WARN msg="NATS is away; trying to connect" servers=nats://nats.example.com:4222 for=`
		expect := func(after time.Duration, last error, want string) {
			t.Helper()
			for ; after > 0; after -= time.Second {
				time.Sleep(time.Second)
				a.Remind(last)
			}
			if got := log.String(); want == "" && got != "" || !strings.Contains(got, want) || strings.Count(got, "\n") > 1 {
				t.Errorf("logged:\n%swant one line with %s", got, want)
			}
			log.Reset()
		}
		refused, unknown := errors.New("connection refused"), errors.New("unknown authority")
		a.Failed(nats.ErrNoServers) // says nothing that helps
		expect(time.Second, nil, "")
		a.Failed(refused)
		expect(0, nil, `level=WARN msg="cannot connect to NATS yet" servers=nats://nats.example.com:4222 error="connection refused"`)
		expect(59*time.Second, nil, "")
		expect(time.Second, nil, away+`1m1s error="connection refused"`)
		expect(time.Minute, unknown, away+`2m1s error="unknown authority"`)
		if away := a.End(); away != 2*time.Minute+time.Second {
			t.Errorf("it was away for %v", away)
		}
		expect(time.Hour, nil, "")
		a.Begin(errors.New("EOF"))
		expect(0, nil, `level=WARN msg="lost NATS; browsers stay connected`)
		expect(time.Minute, nil, away+"1m0s error=EOF")
		if lost := a.LastLost(); time.Since(lost) != time.Minute {
			t.Errorf("lost at %v", lost)
		}
	})
}

// A lost connection is logged as that, and as nothing else, whoever notices it first: here, many who write.
func TestLossIsLoggedOnce(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	log, warned := warnings()
	b := newFixture(t, to(server.URL()), log)
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		var publishing sync.WaitGroup
		for range 50 {
			publishing.Go(func() {
				for ctx.Err() == nil {
					_, _ = b.source.Publish(ctx, "chat.a", nil, []byte("m"))
				}
			})
		}
		server.Kill()
		if line := <-warned; !strings.Contains(line, "lost NATS") {
			t.Errorf("it says: %s", line)
		}
		cancel()
		publishing.Wait()
		server.Start(t)
		eventually(t, "NATS is there", b.source.IsConnected)
		for len(warned) > 0 {
			t.Errorf("it also says: %s", <-warned)
		}
	}
}

// The log of a source without its server repeats that each minute.
func TestAbsenceIsLogged(t *testing.T) {
	if !*soak {
		t.Skip("it waits for a minute; run it with -soak")
	}
	server := bridgetest.StartNATSServer(t)
	log, warned := warnings()
	newFixture(t, to(strings.Replace(server.URL(), "nats://", "nats://ada:swordfish@", 1)), log)
	server.Kill()
	for line := ""; !strings.Contains(line, "NATS is away"); {
		line = <-warned
		if !strings.Contains(line, server.URL()) || strings.Contains(line, "swordfish") {
			t.Errorf("it does not say where, or too much: %s", line)
		}
	}
}
