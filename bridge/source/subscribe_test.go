package source_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/embed"
)

// A client that has seen the open misses no later message.
func TestOpenMeansSubscribed(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		b := newFixture(t, dial, quiet)
		other := publisher(t, dial)
		for i := range 200 {
			subject := fmt.Sprintf("fresh.%d", i)
			c := b.read(t, bridge.Subject(subject)).wantOpen()
			publish(t, other, subject, "first", "second")
			c.wantData("first", "second")
		}
	})
}

// The same for many feeds that are opened at once and share their proof.
func TestOpenMeansSubscribedToManyAtOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		b := newFixture(t, dial, quiet)
		other := publisher(t, dial)
		clients := make([]*client, 500)
		for i := range clients {
			clients[i] = b.read(t, bridge.Subject(fmt.Sprintf("fresh.%d", i)))
		}
		var all sync.WaitGroup
		for i, c := range clients {
			all.Go(func() {
				event, err := c.stream.Next()
				if err != nil || event.Type != bridge.EventOpen {
					t.Errorf("got %+v, %v, want the open", event, err)
				}
				if err := other.Publish(fmt.Sprintf("fresh.%d", i), []byte("first")); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, c := range clients {
			c.wantData("first")
		}
	})
}

// watched is a server configuration in which one user may query the server.
const watched = `
accounts {
  APP { users = [{user: app, password: app}] }
  SYS { users = [{user: sys, password: sys}] }
}
system_account: SYS
no_auth_user: app
`

// subscriptions returns how many subscriptions the source has on the server for feeds.
func (b *fixture) subscriptions(t *testing.T, system *nats.Conn) (n int) {
	t.Helper()
	b.settle(t)
	answer, err := system.Request("$SYS.REQ.SERVER.PING.CONNZ", []byte(`{"subscriptions": true, "limit": 10}`), patience)
	if err != nil {
		t.Fatal(err)
	}
	var connz struct {
		Data struct {
			Connections []struct {
				Name          string
				Subscriptions []string `json:"subscriptions_list"`
			}
		}
	}
	if err := json.Unmarshal(answer.Data, &connz); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range connz.Data.Connections {
		if c.Name == "tailwater" {
			found = true
			for _, subject := range c.Subscriptions {
				if !strings.HasPrefix(subject, "_INBOX") && !strings.HasPrefix(subject, "$JS.") {
					n++
				}
			}
		}
	}
	if !found {
		t.Fatalf("the server does not know the source: %s", answer.Data)
	}
	return n
}

func (b *fixture) wantSubscriptions(t *testing.T, system *nats.Conn, want int) {
	t.Helper()
	if n := b.source.Stats().Subscriptions; n != want {
		t.Errorf("the source has %d subscriptions, want %d", n, want)
	}
	if n := b.subscriptions(t, system); n != want {
		t.Errorf("the server has %d subscriptions, want %d", n, want)
	}
}

func TestSubscriptionsAreSharedAndEnd(t *testing.T) {
	t.Parallel()
	file, err := embed.ReadFile(configFile(t, watched))
	if err != nil {
		t.Fatal(err)
	}
	server := startEmbedded(t, embed.Config{File: file})
	b := newFixture(t, server.Dial, quiet)
	system := publisher(t, func(options ...nats.Option) (*nats.Conn, error) {
		return server.Dial(append(options, nats.UserInfo("sys", "sys"))...)
	})
	b.wantSubscriptions(t, system, 0)

	t.Run("shared", func(t *testing.T) {
		feeds := []*client{
			b.readFramed(t, bridge.Framing{Format: bridge.Raw}, "a.b"),
			b.readFramed(t, bridge.Framing{Format: bridge.JSON}, "a.b"),
			b.read(t, "a.b", "a.c"),
		}
		for _, c := range feeds {
			c.wantOpen()
		}
		b.wantSubscriptions(t, system, 2)
		feeds[2].reader.Close()
		b.awaitLeft(t, 1)
		b.wantSubscriptions(t, system, 1)
		feeds[0].reader.Close()
		b.awaitLeft(t, 1)
		b.wantSubscriptions(t, system, 1)
		publish(t, publisher(t, server.Dial), "a.b", "still here")
		feeds[1].wantData("still here")
		feeds[1].reader.Close()
		b.awaitLeft(t, 1)
		b.wantSubscriptions(t, system, 0)
	})

	t.Run("a thousand", func(t *testing.T) {
		clients := make([]*client, 1000)
		for i := range clients {
			clients[i] = b.read(t, bridge.Subject(fmt.Sprintf("many.%d", i)))
		}
		for _, c := range clients {
			c.wantOpen()
		}
		b.wantSubscriptions(t, system, len(clients))
		var all sync.WaitGroup
		for _, c := range clients {
			all.Go(c.reader.Close)
		}
		all.Wait()
		b.awaitLeft(t, len(clients))
		b.wantSubscriptions(t, system, 0)
	})
}

// A feed may end before its subscription is proved, if its reader leaves at once.
func TestLeaveBeforeOpen(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		b := newFixture(t, dial, quiet)
		for i := range 200 {
			b.read(t, bridge.Subject(fmt.Sprintf("brief.%d", i))).reader.Close()
		}
		b.awaitLeft(t, 200)
		if n := b.source.Stats().Subscriptions; n != 0 {
			t.Errorf("%d subscriptions are left", n)
		}
		c := b.read(t, "brief.0").wantOpen()
		publish(t, publisher(t, dial), "brief.0", "here")
		c.wantData("here")
	})
}

// A feed of several filters delivers each message once, and the messages of a subject in the order of publishing.
func TestOverlappingFilters(t *testing.T) {
	t.Parallel() // it mostly waits
	subjects := []string{"a.b.c", "a.x.c", "a.b.d", "a.x.d", "a.b"}
	feeds := []struct {
		filters []bridge.Subject
		takes   []string
	}{
		{[]bridge.Subject{"a.*.c", "a.b.*"}, []string{"a.b.c", "a.x.c", "a.b.d"}},
		{[]bridge.Subject{"a.>", "a.b.*", "a.b.c"}, subjects},
		{[]bridge.Subject{"a.b.>", "a.*.c", "a.x.*"}, []string{"a.b.c", "a.x.c", "a.b.d", "a.x.d"}},
		{[]bridge.Subject{"*.b.c", "a.*.c", "a.b.*", "a.*"}, []string{"a.b.c", "a.x.c", "a.b.d", "a.b"}},
		{[]bridge.Subject{"a.b.c", "a.b"}, []string{"a.b.c", "a.b"}},
		{[]bridge.Subject{"a.b.d"}, []string{"a.b.d"}},
	}
	run := func(t *testing.T, dial source.Dialer, messages int) {
		const burst = 1_000
		b := newFixture(t, dial, quiet)
		other := publisher(t, dial)
		clients := make([]*client, len(feeds))
		for i, feed := range feeds {
			clients[i] = b.read(t, feed.filters...)
			clients[i].wantOpen()
		}
		for sent := 0; sent < messages; sent += burst {
			for i := range burst {
				if err := other.Publish(subjects[i%len(subjects)], []byte(fmt.Sprint(sent+i))); err != nil {
					t.Fatal(err)
				}
			}
			flush(t, other)
			for i, feed := range feeds {
				next := map[string]int{}
				for range burst / len(subjects) * len(feed.takes) {
					m := clients[i].message()
					n := next[m.Subject]
					next[m.Subject]++
					at := slices.Index(subjects, m.Subject)
					if want := fmt.Sprint(sent + n*len(subjects) + at); !slices.Contains(feed.takes, m.Subject) || m.Data != want {
						t.Fatalf("%v got %q on %s, want %q", feed.filters, m.Data, m.Subject, want)
					}
				}
			}
		}
		b.settle(t)
		for _, c := range clients {
			c.wantNothing()
		}
	}
	t.Run("embedded", func(t *testing.T) { run(t, embedded(t), 2_000) })
	t.Run("stored", func(t *testing.T) {
		dial := embedded(t)
		createStream(t, manager(t, dial), jetstream.StreamConfig{Name: "A", Subjects: []string{"a.>"}})
		run(t, dial, 1_000)
	})
	t.Run("external", func(t *testing.T) { run(t, to(bridgetest.StartNATSServer(t).URL()), 1_000) })
}
