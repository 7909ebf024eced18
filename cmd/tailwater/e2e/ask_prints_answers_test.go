package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// ask prints an answer while it arrives, and its exit code says how it has ended.
func TestAskPrintsAnswers(t *testing.T) {
	t.Parallel()
	n := startNode(t, questions(settings{"ROUTES": "ASK /ask/{model}=llm.{model},ASK /agents=$SRV.INFO.agents"}))
	work(t, n.NATSURL(), "llm.words", replies("Because ", "of\n", "light", ""))
	work(t, n.NATSURL(), "llm.once", replies("yes"))
	work(t, n.NATSURL(), "llm.broken", func(m *nats.Msg) {
		_ = m.RespondMsg(&nats.Msg{Header: nats.Header{"Nats-Service-Error": {"no model"}, "Nats-Service-Error-Code": {"404"}}})
	})
	for _, test := range []struct {
		args      string
		code      int
		out, says string
	}{
		{"/ask/words why", 0, "Because of\nlight\n", ""},
		{"/ask/words why --raw", 0, "Because \nof\n\nlight\n", ""},
		{"/ask/once why --replies=1", 0, "yes\n", ""},
		{"/ask/broken why", exitFailure, "", "no model (404)"},
		{"/ask/nobody why", exitRefused, "", "nobody listens"},
		{"/nothing why", exitRefused, "", "404 Not Found"},
		{"/events/chat.a why", exitRefused, "", "201 Created: this path does not ask"},
		{"/ask/words why --url=nowhere", exitUsage, "", "--url, or TAILWATER_BRIDGE_URL: write http"},
		{"/agents why", exitRefused, "", "403 Forbidden"},
		{"llm.words why", exitUsage, "", "/ask/echo"},
	} {
		code, out, stderr := call(t, settings{"BRIDGE_URL": n.URL()}, append([]string{"ask"}, strings.Fields(test.args)...)...)
		if code != test.code || out != test.out || !strings.Contains(stderr, test.says) {
			t.Errorf("%s: exit code %d, want %d; it prints %q, want %q\n%s", test.args, code, test.code, out, test.out, stderr)
		}
	}
}

// The bridge is killed while an answer arrives. The answer continues where it was, and the worker is asked once. At the end an interrupt stops
// another answer.
func TestAskOutlastsKills(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	b := startBridge(t, questions(settings{"NATS_URL": server.URL(), "HISTORY": "answers.>"}))
	worker := publisher(t, server.URL())
	asked := make(chan string, 10)
	more := make(chan string)
	if _, err := worker.Subscribe("llm.slow", func(m *nats.Msg) {
		asked <- string(m.Data)
		if _, err := worker.Subscribe(m.Reply+".stop", func(*nats.Msg) { asked <- "stop " + string(m.Data) }); err != nil {
			t.Error(err)
		}
		go func() {
			for text := range more {
				_ = m.Respond([]byte(text))
				if text == "" {
					return
				}
			}
		}()
	}); err != nil {
		t.Fatal(err)
	}
	noError(t, worker.Flush())
	defer close(more)
	first := begin(t, nil, "ask", "/ask/slow", "first", "--raw", "--url=http://"+b.address)
	more <- "one"
	first.lines(t, 1)
	b.kill()
	more <- "two"
	b.start()
	more <- "three"
	more <- ""
	if code := first.code(t); code != 0 || first.out.String() != "one\ntwo\nthree\n" {
		t.Errorf("exit code %d, and %q", code, first.out.String())
	}
	second := begin(t, nil, "ask", "/ask/slow", "second", "--raw", "--url=http://"+b.address)
	var got []string
	got = append(got, <-asked, <-asked)
	for second.out.String() == "" {
		more <- "x"
	}
	second.lines(t, 1)
	noError(t, second.cmd.Process.Signal(os.Interrupt))
	if code := second.code(t); code != exitFailure {
		t.Errorf("interrupted: exit code %d", code)
	}
	if got = append(got, <-asked); !slices.Equal(got, []string{"first", "second", "stop second"}) {
		t.Errorf("the worker heard %q", got)
	}
}
