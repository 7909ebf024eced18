package source_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// nats.go keeps one error, and reports each some time later. A refusal that was not yet reported is known although another error has come
// after it: here messages with broken headers come all the time, and the log is stuck.
func TestRefusalBehindAnotherError(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t, "-c", configFile(t, `
		no_auth_user: admin
		authorization { users = [
			{ user: bridge, password: swordfish, permissions: { subscribe: ["ok.>", "_INBOX_tailwater.>", "$JS.>"], publish: ["ok.>", "$JS.>"] } }
			{ user: admin, password: swordfish }
		] }`))
	address := fmt.Sprintf("127.0.0.1:%d", server.Port)
	stuck, release := make(chan struct{}, 1), make(chan struct{})
	b := newFixture(t, to("nats://bridge:swordfish@"+address), slog.New(stuckLog{slog.DiscardHandler, stuck, release}))
	free := sync.OnceFunc(func() { close(release) })
	t.Cleanup(free) // before the fixture is closed, which waits for what is logged
	b.read(t, "ok.broken").wantOpen()
	allowed := b.read(t, "ok.a").wantOpen()
	post := func(subject bridge.Subject) error { return b.post(within(t, patience), subject, nil, nil) }
	if err := post("no.first"); !errors.Is(err, bridge.ErrRefused) {
		t.Fatalf("the first is answered %v", err)
	}
	receive(t, stuck, "the log to be stuck")

	broken, stop := newRawPublisher(t, "nats://"+address), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				broken.publish("ok.broken", "", "NATS/1.0", "x")
				broken.flush()
			}
		}
	})
	results := make(chan error, 20)
	for i := range cap(results) {
		running.Go(func() { results <- post(bridge.Subject(fmt.Sprint("no.", i))) })
	}
	admin := publisher(t, to("nats://"+address))
	for i := range 100 { // while which they have long been refused
		publish(t, admin, "ok.a", fmt.Sprint(i))
		allowed.wantData(fmt.Sprint(i))
	}
	free()
	for range cap(results) {
		if err := receive(t, results, "an answer"); !errors.Is(err, bridge.ErrRefused) {
			t.Errorf("a message that was refused is answered %v", err)
		}
	}
	close(stop)
	running.Wait()
}

// stuckLog does not get past a line that says what is refused until it is released.
type stuckLog struct {
	slog.Handler
	stuck   chan<- struct{}
	release <-chan struct{}
}

func (l stuckLog) Enabled(context.Context, slog.Level) bool { return true }

func (l stuckLog) Handle(_ context.Context, record slog.Record) error {
	if strings.Contains(record.Message, "refuses a subject") {
		select {
		case l.stuck <- struct{}{}:
		default:
		}
		<-l.release
	}
	return nil
}
