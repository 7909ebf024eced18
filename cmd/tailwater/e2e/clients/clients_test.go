//go:build unix

package clients

import (
	"encoding/json"
	"flag"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

var all = flag.Bool("clients", false, "run the clients of others against the bridge, as make clients does")

// TestClients lets every client of the table meet every fault, all at once, and judges each by what it got.
func TestClients(t *testing.T) {
	if !*all {
		t.Skip("make clients runs it")
	}
	programs := newPrograms(t)
	server := bridgetest.StartNATSServer(t)
	conn, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for !conn.IsClosed() {
		}
	})
	js := publisher(t, conn)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"e2e.>"}}); err != nil {
		t.Fatal(err)
	}
	var worlds []*world
	for _, f := range faults {
		w := &world{fault: f, t: t, js: publisher(t, conn)}
		if w.open(programs, server.URL()) {
			worlds = append(worlds, w)
		}
	}
	programs.start()
	for _, w := range worlds { // those that are alone come first
		t.Run(w.name, func(t *testing.T) {
			if !w.alone {
				t.Parallel()
			}
			w.run(t)
		})
	}
}

// publisher has room for all that a fault publishes at once.
func publisher(t *testing.T, conn *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(50_000),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, m *nats.Msg, err error) {
			t.Errorf("publish on %s: %v", m.Subject, err)
		}))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// world is a bridge with its clients, and one fault that befalls them.
type world struct {
	fault
	t      *testing.T
	js     jetstream.JetStream
	bridge *process
	proxy  *process // where the fault wants one
	seats  []*seat
	sent   []string
}

// open starts what the fault needs and gives each client a seat. It reports whether there is any client.
func (w *world) open(programs *programs, natsURL string) bool {
	w.t.Helper()
	for _, c := range clients {
		name := w.name + "/" + c.name + " in " + c.in
		if strings.Contains(name, *only) && !(w.asJSON && c.signals) {
			w.seats = append(w.seats, &seat{client: c, job: job{ID: name, Client: c.program}})
		}
	}
	if len(w.seats) == 0 {
		return false
	}
	settings := map[string]string{
		"NATS_URL": natsURL, "ANONYMOUS_SUBSCRIBE": "e2e.>", "HTTP_ORIGINS": programs.pages.URL,
	}
	for name, value := range w.settings {
		settings[name] = value
	}
	w.bridge = startBridge(w.t, freeAddress(w.t), settings)
	front := w.bridge
	if w.proxied {
		w.proxy = startNginx(w.t, freeAddress(w.t), w.bridge.address)
		front = w.proxy
	}
	for _, s := range w.seats {
		s.witness = startWitness(w.t, front.address)
		subject := w.subject()
		if s.client.signals {
			subject += signals
		}
		s.job.URL = "http://" + s.witness.Addr().String() + "/events/" + url.PathEscape(subject) + w.query
		programs.add(s)
	}
	return true
}

// signals ends the subject on which the messages are those of Datastar.
const signals = ".signals"

func (w *world) subject() string { return "e2e." + strings.ReplaceAll(w.name, " ", "_") }

// run lets the fault happen, and judges.
func (w *world) run(t *testing.T) {
	w.await("it is open", func(s *seat) bool { returns, _ := s.witness.returns(); return returns >= 0 })
	w.happen(w)
	w.awaitAll()
	for _, s := range w.seats {
		t.Run(s.client.name+" in "+s.client.in, func(t *testing.T) {
			complaints := s.complaints(w.expects(s))
			limit := s.client.cannot[w.name]
			switch {
			case limit == "":
				for _, c := range complaints {
					t.Error(c)
				}
			case len(complaints) == 0:
				t.Errorf("it can now: strike off %q", limit)
			default:
				t.Logf("as documented (%s): %s", limit, strings.Join(complaints, "; "))
			}
		})
	}
}

// expects returns what is owed to a client and in which form: everything, or to Datastar everything that can be a signal.
func (w *world) expects(s *seat) (payloads []string, is func(told, string) bool) {
	switch {
	case s.client.signals:
		return slices.DeleteFunc(slices.Clone(w.sent), func(data string) bool { return !utf8.ValidString(data) }), isSignal
	case w.asJSON:
		return w.sent, isJSON
	}
	return w.sent, isRaw
}

// publish stores messages on the fault's subject, and those that are text as signals for Datastar too.
func (w *world) publish(payloads ...string) {
	w.t.Helper()
	w.sent = append(w.sent, payloads...)
	for _, data := range payloads {
		w.store(&nats.Msg{Subject: w.subject(), Data: []byte(data)})
		if !utf8.ValidString(data) {
			continue
		}
		text, err := json.Marshal(map[string]string{"text": data})
		if err != nil {
			w.t.Error(err)
		}
		w.store(&nats.Msg{
			Subject: w.subject() + signals, Data: append([]byte("signals "), text...),
			Header: nats.Header{"Tailwater-Event": {"datastar-merge-signals"}},
		})
	}
	<-w.js.PublishAsyncComplete()
}

func (w *world) store(m *nats.Msg) {
	if _, err := w.js.PublishMsgAsync(m); err != nil {
		w.t.Errorf("publish: %v", err)
	}
}

// await waits until a condition holds for each client. A client for which it does not, although nothing more happens, is
// not waited for again.
func (w *world) await(what string, holds func(*seat) bool) {
	misses := func(s *seat) bool { return !s.failed() && !holds(s) }
	for before := -1; w.events() > before; {
		before = w.events()
		if within(patience, func() bool { return !slices.ContainsFunc(w.seats, misses) }) == nil {
			return
		}
	}
	for _, s := range w.seats {
		if misses(s) {
			w.t.Logf("%s, %s in %s: not in time: %s", w.name, s.client.name, s.client.in, what)
			s.fail(what)
		}
	}
}

// events counts what clients got and how often they connected.
func (w *world) events() (n int) {
	for _, s := range w.seats {
		returns, _ := s.witness.returns()
		n += s.count() + returns + 1
	}
	return n
}

// awaitAll waits until each client has as many messages as were published.
func (w *world) awaitAll() {
	w.await("all messages", func(s *seat) bool { payloads, _ := w.expects(s); return s.count() >= len(payloads) })
}

// awaitReturns makes something happen, and waits until each client has come back.
func (w *world) awaitReturns(happen func()) {
	before := map[*seat]int{}
	for _, s := range w.seats {
		before[s], _ = s.witness.returns()
	}
	happen()
	w.await("a return", func(s *seat) bool { returns, _ := s.witness.returns(); return returns > before[s] })
}

// awaitHeartbeats waits until each client's connection was silent for so many heartbeats in all.
func (w *world) awaitHeartbeats(n int) {
	for n := range n {
		w.await("a heartbeat", func(s *seat) bool { _, heartbeats := s.witness.returns(); return heartbeats > n })
	}
}
