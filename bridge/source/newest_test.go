package source_test

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// newestOfMany returns a stream with newest messages on more subjects than one direct get returns. So many others are between two
// of these.
func newestOfMany(t *testing.T, n int, keep int64, direct bool, between int) (js jetstream.JetStream, b *fixture) {
	t.Helper()
	dial := embedded(t)
	js = manager(t, dial)
	config := chats
	config.Storage, config.MaxMsgsPerSubject, config.AllowDirect = jetstream.MemoryStorage, keep, direct
	createStream(t, js, config)
	update(t, js, 0, n, "old")
	for i := range n {
		update(t, js, i, i+1, "new")
		for range between {
			send(t, js, "chat.not.asked", "")
		}
	}
	awaitStored(t, js)
	return js, newFixture(t, dial, quiet)
}

func update(t *testing.T, js jetstream.JetStream, from, to int, value string) {
	t.Helper()
	for i := from; i < to; i++ {
		send(t, js, fmt.Sprint("chat.", i), value)
	}
}

func send(t *testing.T, js jetstream.JetStream, subject, value string) {
	t.Helper()
	if err := js.Conn().Publish(subject, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

// awaitStored waits until every message published so far is stored.
func awaitStored(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	store(t, js, "chat.not.asked", "")
}

// table reads up to the end of the replay, then up to a payload, and returns the last message of each subject.
func (c *client) table(values map[string]string, end string) map[string]string {
	c.t.Helper()
	for isSynced := false; ; {
		event := c.next()
		var m message
		switch err := json.Unmarshal([]byte(event.Data), &m); {
		case event.Type == bridge.EventSynced:
			isSynced = true
			continue
		case err != nil || event.Type != "message":
			c.t.Fatalf("got %+v", event)
		}
		if values[m.Subject] = m.Data; m.Data == end && isSynced {
			return values
		}
	}
}

// However many subjects there are, no more than a page of their newest messages is read ahead of the client, with or without
// direct gets. Changes during the reading are included at its end, also for a later client.
func TestNewestIsReadInPages(t *testing.T) {
	t.Parallel()
	const n, page = 1100, 1024
	for _, keep := range []int64{-1, 1} {
		for _, where := range []struct {
			direct  bool
			between int
		}{{true, 0}, {true, 10}, {false, 0}, {false, 10}} {
			if !*soak && (where.direct == (where.between == 0)) != (keep < 0) {
				continue // make soak tries all; any two of the three are tried together here too
			}
			t.Run(fmt.Sprintf("keeping %d, %+v", keep, where), func(t *testing.T) {
				js, b := newestOfMany(t, n, keep, where.direct, where.between)
				early := b.since(t, bridge.Since{Kind: bridge.SinceLast}, "chat.*").wantOpen()
				had := map[string]string{early.message().Subject: "new"}
				if got := b.hub.Stats().ReplayMessages; got > page {
					t.Errorf("%d messages were read for one", got)
				}
				update(t, js, 0, n/2, "newer") // among read and unread ones
				awaitStored(t, js)
				late := b.since(t, bridge.Since{Kind: bridge.SinceLast}, "chat.*").wantOpen()
				hadLate := map[string]string{}
				m := late.message()
				hadLate[m.Subject] = m.Data
				update(t, js, n-10, n, "newest")
				store(t, js, "chat.end", "end")
				for which, values := range map[string]map[string]string{"early": early.table(had, "end"), "late": late.table(hadLate, "end")} {
					if len(values) != n+1 {
						t.Errorf("the %s client has %d values", which, len(values))
					}
					for i := range n {
						want := "new"
						switch {
						case i < n/2:
							want = "newer"
						case i >= n-10:
							want = "newest"
						}
						if got := values[fmt.Sprint("chat.", i)]; got != want {
							t.Fatalf("the %s client has %q of chat.%d, want %q", which, got, i, want)
						}
					}
				}
			})
		}
	}
}

// Messages read one by one are as published, whatever their headers.
func TestNewestPoison(t *testing.T) {
	t.Parallel()
	const n = 1100
	for _, direct := range []bool{true, false} {
		t.Run(fmt.Sprint("direct gets ", direct), func(t *testing.T) {
			js, b := newestOfMany(t, n, -1, direct, 10)
			want := poison("")
			for i, msg := range want {
				msg.Subject = fmt.Sprint("chat.poison", i)
				if err := js.Conn().PublishMsg(msg); err != nil {
					t.Fatal(err)
				}
				for range 10 {
					send(t, js, "chat.not.asked", "")
				}
			}
			awaitStored(t, js)
			store(t, js, "chat.end", "the end")
			c := b.since(t, bridge.Since{Kind: bridge.SinceLast}, "chat.*").wantOpen()
			for range n {
				c.wantData("new")
			}
			c.wantPoison(t, want)
			c.wantSynced()
		})
	}
}

// If there are few enough subjects for direct gets again, the earlier list is not used.
func TestNewestOfFewerThanBefore(t *testing.T) {
	t.Parallel()
	const before, after = 1100, 600
	js, b := newestOfMany(t, before, 1, true, 0)
	c := b.since(t, bridge.Since{Kind: bridge.SinceLast}, "chat.*").wantOpen()
	for range before {
		c.wantData("new")
	}
	stream, err := js.Stream(within(t, patience), "CHATS")
	if err == nil {
		err = stream.Purge(within(t, patience))
	}
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", 4<<10) // more than a page
	update(t, js, 0, after, large)
	store(t, js, "chat.end", "end")
	late := newHub(t, b.source, ample).since(t, bridge.Since{Kind: bridge.SinceLast}, "chat.*").wantOpen()
	for i := range after {
		if m := late.message(); m.Subject != fmt.Sprint("chat.", i) || m.Data != large {
			t.Fatalf("got %s with %d bytes, want chat.%d", m.Subject, len(m.Data), i)
		}
	}
	late.wantData("end")
}

// Messages removed during the reading delay nobody, however many they are, and wherever they are.
func TestNewestAreRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	const n = 3000
	dial, js, stream := embeddedChats(t, func(config *jetstream.StreamConfig) {
		config.Storage, config.MaxMsgsPerSubject = jetstream.MemoryStorage, 5
	})
	update(t, js, 0, n, "value")
	awaitStored(t, js)
	b := newFixture(t, dial, quiet)
	c := b.since(t, bridge.Since{Kind: bridge.SinceLast}, "chat.*").wantOpen()
	if m := c.message(); m.Subject != "chat.0" {
		t.Fatalf("got %+v", m)
	}
	gone := func(i int) bool { return i > n/2 && i%3 == 0 || i > n-100 }
	for i := range n {
		if gone(i) {
			if err := stream.Purge(within(t, patience), jetstream.WithPurgeSubject(fmt.Sprint("chat.", i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := 1; i < n; i++ {
		if gone(i) {
			continue
		}
		if m := c.message(); m.Subject != fmt.Sprint("chat.", i) {
			t.Fatalf("got %+v, want chat.%d", m, i)
		}
	}
	c.wantSynced()
	eventually(t, "its consumer is deleted", func() bool { return len(ownConsumers(t, stream)) == 1 })
}

// If a server loses a sweep's consumer, or restarts, no client starts again, and no message comes twice. The link is stopped
// after a part was sent, so the consumer cannot have sent everything.
func TestSweepLosesItsConsumer(t *testing.T) {
	t.Parallel()                  // it mostly waits
	const n, size = 1500, 8 << 10 // more than a page
	server := bridgetest.StartNATSServer(t)
	js := manager(t, to(server.URL()))
	config := chats
	config.Storage = jetstream.MemoryStorage
	stream := createStream(t, js, config)
	update(t, js, 0, n, strings.Repeat("v", size))
	awaitStored(t, js)
	b, link := newDammedFixture(t, server.URL(), n*size/6)
	c := b.since(t, bridge.Since{Kind: bridge.SinceLast}, "chat.*")
	eventually(t, "the link is stopped", func() bool {
		c.begun() // a reader that is not read requests nothing
		return link.left.Load() < 0
	})
	for _, name := range ownConsumers(t, stream) {
		if err := stream.DeleteConsumer(within(t, patience), name); err != nil {
			t.Fatal(err)
		}
	}
	close(link.opened)
	c.wantOpen()
	for i := range n {
		if m := c.message(); m.Subject != fmt.Sprint("chat.", i) {
			t.Fatalf("got %s, want chat.%d", m.Subject, i)
		}
	}
	c.wantSynced()
}

// dam is a nats.CustomDialer. When no bytes are left, the data of all its sockets waits until it is opened.
type dam struct {
	left   atomic.Int64
	opened chan struct{}
}

// newDammedFixture opens a source behind a dam that lets so many bytes pass.
func newDammedFixture(t *testing.T, url string, left int64) (*fixture, *dam) {
	t.Helper()
	link := &dam{opened: make(chan struct{})}
	link.left.Store(left)
	return newFixture(t, func(options ...nats.Option) (*nats.Conn, error) {
		options[0] = nats.SetCustomDialer(link) // in place of the fixture's own
		return nats.Connect(url, options...)
	}, quiet), link
}

func (d *dam) Dial(network, address string) (net.Conn, error) {
	socket, err := (&net.Dialer{Timeout: patience}).Dial(network, address)
	if err != nil {
		return nil, err
	}
	return dammed{socket, d}, nil
}

type dammed struct {
	net.Conn
	dam *dam
}

func (d dammed) Read(into []byte) (int, error) {
	n, err := d.Conn.Read(into)
	if d.dam.left.Add(-int64(n)) < 0 {
		<-d.dam.opened
	}
	return n, err
}
