package source_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// nats.go calls its handlers some time after the events. A refusal of an earlier connection, reported during the next one, counts
// for the earlier one only, even if the start of the earlier one was not reported yet.
func TestRefusalOfAnEarlierConnection(t *testing.T) {
	t.Parallel()
	t.Run("told late", func(t *testing.T) { testRefusalOfAnEarlierConnection(t, false) })
	t.Run("all told late", func(t *testing.T) { testRefusalOfAnEarlierConnection(t, true) })
}

func testRefusalOfAnEarlierConnection(t *testing.T, isAway bool) {
	const question = "$JS.API.STREAM.NAMES"
	port := bridgetest.FreePort(t)
	var stop func()
	if !isAway {
		stop = startWithout(t, port, question)
	}
	away, connected, refused := newStop("cannot connect to NATS yet"), newStop("connected to NATS"), newStop("NATS refuses a subject")
	if !isAway {
		away.release()
	}
	log := &stoppingLog{slog.DiscardHandler, []*stopAt{away, connected, refused}, make(chan string, 1<<8)}
	b := newFixture(t, to((&bridgetest.NATSServer{Port: port}).URL()), slog.New(secrets.Log(log)))
	for _, at := range log.stops {
		t.Cleanup(at.release) // before the fixture is closed, which waits for what is logged
	}
	if isAway {
		receive(t, away.reached, "the log to say that NATS is away")
		stop = startWithout(t, port, question)
		b.awaitStatus(t, nats.CONNECTED)
	}
	if err := b.conn.Publish(question, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "that is refused", func() bool { return errors.Is(b.conn.LastError(), nats.ErrPermissionViolation) })

	lost := b.conn.StatusChanged(nats.RECONNECTING)
	defer b.conn.RemoveStatusListener(lost)
	stop()
	receive(t, lost, "the loss of the connection")
	startWithout(t, port, "other")
	asked, answer := make(chan struct{}, 1<<8), make(chan struct{})
	fake := &fakeJetStream{conn: publisher(t, to((&bridgetest.NATSServer{Port: port}).URL()))}
	fake.on(t, "STREAM.NAMES", func(string, []byte) any {
		asked <- struct{}{}
		<-answer
		return map[string]any{"total": 1, "streams": []string{"CHAT"}}
	})
	fake.on(t, "STREAM.INFO.*", func(name string, _ []byte) any { return info(name) })
	b.awaitStatus(t, nats.CONNECTED)
	away.release()
	receive(t, connected.reached, "the log to tell of the first connection")
	isUp := b.source.Stats().Connected // by the report, the source is on its second connection
	if isUp {
		receive(t, asked, "a question on the second connection")
	}
	connected.release()
	receive(t, refused.reached, "the log to tell of the refusal")
	if !isUp {
		refused.release()
	}
	close(answer)
	holdings, err := b.source.Explain(within(t, patience), []bridge.Subject{"chat"}, nil)
	if err != nil || holdings[0].Stream != "CHAT" {
		t.Errorf("got %+v, %v", holdings, err)
	}
	refused.release()
	for line := ""; !strings.HasPrefix(line, "reconnected"); line = receive(t, log.lines, "the log to tell of the second connection") {
		if strings.HasPrefix(line, "nothing is served from streams") {
			t.Error(line)
		}
	}
}

// startWithout starts a server without JetStream that refuses all publishing on a subject.
func startWithout(t *testing.T, port int, refused string) (stop func()) {
	t.Helper()
	started, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true, NoAuthUser: "anyone",
		Users: []*server.User{{Username: "anyone", Password: "swordfish", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{refused}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	started.Start()
	stop = func() {
		started.Shutdown()
		started.WaitForShutdown()
	}
	t.Cleanup(stop)
	return stop
}

// stopAt stops the first goroutine that logs a line with this beginning.
type stopAt struct {
	line    string
	reached chan struct{}
	goOn    chan struct{}
	release func()
}

func newStop(line string) *stopAt {
	goOn := make(chan struct{})
	return &stopAt{line, make(chan struct{}, 1), goOn, sync.OnceFunc(func() { close(goOn) })}
}

// stoppingLog passes log lines on, and stops goroutines that log certain lines.
type stoppingLog struct {
	slog.Handler
	stops []*stopAt
	lines chan string
}

func (l *stoppingLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *stoppingLog) Handle(_ context.Context, record slog.Record) error {
	for _, at := range l.stops {
		if strings.HasPrefix(record.Message, at.line) {
			select {
			case at.reached <- struct{}{}:
			default:
			}
			<-at.goOn
		}
	}
	l.lines <- record.Message
	return nil
}
