package source_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// NATS answers a ping although it has refused the subscription before it: a reader of such a subject is not told that it
// is open, and a message that was refused is not said to be sent.
func TestRefusedSubjects(t *testing.T) {
	t.Parallel()
	config := configFile(t, `authorization { users = [ { user: bridge, password: swordfish, permissions: { subscribe: ["ok.>", "_INBOX_tailwater.>"], publish: ["ok.>"] } }, { user: admin, password: swordfish } ] }`)
	server := bridgetest.StartNATSServer(t, "-c", config)
	log, warned := warnings()
	b := newFixture(t, as(server, "bridge"), log)
	admin := publisher(t, as(server, "admin"))

	for i := range 20 {
		refused := b.read(t, bridge.Subject(fmt.Sprint("no.", i)))
		mixed := b.read(t, "ok.mixed", bridge.Subject(fmt.Sprint(`no."mixed".`, i)))
		allowed := b.read(t, bridge.Subject(fmt.Sprint("ok.", i))).wantOpen()
		publish(t, admin, fmt.Sprint("no.", i), "secret")
		publish(t, admin, fmt.Sprint("ok.", i), "hello")
		allowed.wantData("hello")
		refused.wantNothing()
		mixed.wantGap(bridge.GapDisconnected) // not an open: only a part of it is in force
		publish(t, admin, "ok.mixed", "part")
		mixed.wantData("part")
		late := b.read(t, mixed.reader.Feed().Subjects()...)
		late.wantGap(bridge.GapDisconnected)
		late.reader.Close()
		mixed.reader.Close()
	}
	receive(t, warned, "the log to say it")

	ctx := within(t, patience)
	for i := range 20 {
		subject := bridge.Subject(fmt.Sprint("no.", i))
		if err := b.post(ctx, subject, nil, nil); !errors.Is(err, bridge.ErrRefused) {
			t.Fatalf("publish to %s: %v", subject, err)
		}
		if err := b.post(ctx, bridge.Subject(fmt.Sprint("ok.", i)), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// Where a stream holds the subject, the refusal is known as soon: nobody waits for an acknowledgement that cannot come.
func TestRefusedToAStream(t *testing.T) {
	t.Parallel()
	config := configFile(t, `authorization { users = [ { user: bridge, password: swordfish, permissions: { publish: ["$JS.API.>"] } }, { user: admin, password: swordfish } ] }`)
	server := bridgetest.StartNATSServer(t, "-c", config)
	createStream(t, manager(t, as(server, "admin")), jetstream.StreamConfig{Name: "CHAT", Subjects: []string{"chat.>"}})
	b := newFixture(t, as(server, "bridge"), quiet)
	for range 2 {
		ctx := within(t, patience)
		if err := b.post(ctx, "chat.a", nil, nil); !errors.Is(err, bridge.ErrRefused) || ctx.Err() != nil {
			t.Errorf("publish: %v, and then %v", err, ctx.Err())
		}
	}
}

// A NATS that takes a connection and says nothing holds up nobody: nats.go waits for it, under a lock that all its
// methods want.
func TestMuteNATS(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dialed := make(chan net.Conn)
	go func() {
		defer close(dialed)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			dialed <- conn
		}
	}()
	server := startEmbedded(t, embedListening)
	b := newFixture(t, func(options ...nats.Option) (*nats.Conn, error) {
		return nats.Connect(server.URL()+","+"nats://"+listener.Addr().String(), append([]nats.Option{nats.Timeout(2 * patience), nats.DontRandomize()}, options...)...)
	}, quiet)
	b.read(t, "a.b").wantOpen()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	mute := receive(t, dialed, "the source to try the mute server")
	// There are two connections; the one that publishes may be the second to notice.
	eventually(t, "the loss is noticed", func() bool { return !b.source.Stats().Connected })

	done := make(chan error)
	go func() {
		b.source.Stats()
		_, readErr := b.hub.Read([]bridge.Subject{"c.d"}, bridge.Framing{}, bridge.Resume{})
		err := b.post(within(t, patience), "a.b", nil, nil)
		if !errors.Is(err, bridge.ErrUnavailable) {
			err = fmt.Errorf("publish: %w", err)
		} else {
			err = nil
		}
		done <- errors.Join(readErr, err)
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("a call waits for the mute server")
	}
	listener.Close()
	mute.Close()
	for conn := range dialed {
		conn.Close()
	}
}
