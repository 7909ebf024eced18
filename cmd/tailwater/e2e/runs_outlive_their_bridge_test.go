package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A bridge is killed in the middle of an answer. The page continues on another bridge, exactly where it was; a second tab reads all; the question,
// asked again with its key, finds its run.
func TestRunOutlivesItsBridge(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	set := questions(settings{"NATS_URL": server.URL(), "HISTORY": "answers.>", "HISTORY_MAX_BYTES": "16MiB"})
	one, two := startBridge(t, set), startBridge(t, set)
	heard := make(chan *nats.Msg, 10)
	work(t, server.URL(), "llm.slow", func(m *nats.Msg) { heard <- m })
	const key = "Idempotency-Key: k"
	asker := follow(t, askWith(t, "POST", "http://"+one.address+"/ask/slow", "q", asStream, key))
	question := <-heard
	replies("1", "2")(question)
	asker.next()
	asker.next()
	one.kill()
	for {
		event, err := asker.Next()
		if err != nil {
			break
		}
		if event.Type != bridge.EventSynced { // which comes behind what was there when it began to read
			t.Fatalf("the connection outlives its bridge: %+v", event)
		}
	}
	replies("3")(question)
	url := "http://" + two.address
	again := follow(t, askWith(t, "GET", url+asker.path, "", "Last-Event-ID: "+asker.last.ID))
	tab := follow(t, askWith(t, "GET", url+asker.path, ""))
	repeated := follow(t, askWith(t, "POST", url+"/ask/slow", "q", asStream, key, "Last-Event-ID: "+asker.last.ID))
	if repeated.path != asker.path {
		t.Errorf("the runs are %s and %s", repeated.path, asker.path)
	}
	replies("4", "")(question)
	for name, c := range map[string]struct {
		reader *runReader
		want   []string
	}{
		"the page":      {again, []string{"message 3", "message 4", runEnd}},
		"a second tab":  {tab, []string{"message 1", "message 2", "message 3", "message 4", runEnd}},
		"the same POST": {repeated, []string{"message 3", "message 4", runEnd}},
	} {
		if got := c.reader.rest(); !slices.Equal(got, c.want) {
			t.Errorf("%s got %q", name, got)
		}
	}
	one.start()
	if got := follow(t, askWith(t, "GET", "http://"+one.address+asker.path, "")).rest(); len(got) != 5 {
		t.Errorf("the bridge that is back gives %q", got)
	}
	if len(heard) > 0 {
		t.Error("the question was asked twice")
	}
}

// A bridge that stops tells who reads an answer to come back, and who waits for the first message where it will be; both read on elsewhere. It asks no
// more questions.
func TestRunOutlivesADrain(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	set := questions(settings{"NATS_URL": server.URL(), "HISTORY": "answers.>", "HISTORY_MAX_BYTES": "16MiB", "DRAIN_DELAY": "300ms"})
	one, two := startNode(t, set), startNode(t, set)
	heard := make(chan *nats.Msg, 10)
	work(t, server.URL(), "llm.slow", func(m *nats.Msg) { heard <- m })
	asker := follow(t, askWith(t, "POST", one.URL()+"/ask/slow", "q", asStream))
	question := <-heard
	replies("1")(question)
	asker.next()
	waiting := make(chan *http.Response)
	go func() { waiting <- askWith(t, "POST", one.URL()+"/ask/slow", "q") }()
	second := <-heard
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		one.stop(t)
	}()
	moved := <-waiting
	if status, body := answer(t, moved); status != http.StatusAccepted || !strings.HasPrefix(moved.Header.Get("Location"), "/answers/") {
		t.Errorf("who waited got %d %s", status, body)
	}
	if status, body := status(t, "POST", one.URL()+"/ask/slow", "q"); status != http.StatusServiceUnavailable || !strings.Contains(body, "#busy") {
		t.Errorf("a question while it stops: %d %s", status, body)
	}
	if said := asker.next(); said != bridge.EventClose+` {"reason":"drain"}` || asker.Retry == 0 {
		t.Errorf("the asker was told %s, to come back in %d ms", said, asker.Retry)
	}
	<-stopped
	replies("2", "")(question)
	replies("a", "")(second)
	if got := follow(t, askWith(t, "GET", two.URL()+asker.path, "", "Last-Event-ID: "+asker.last.ID)).rest(); !slices.Equal(got, []string{"message 2", runEnd}) {
		t.Errorf("the asker got %q elsewhere", got)
	}
	if got := follow(t, askWith(t, "GET", two.URL()+moved.Header.Get("Location"), "")).rest(); !slices.Equal(got, []string{"message a", runEnd}) {
		t.Errorf("who waited got %q elsewhere", got)
	}
	if len(heard) > 0 {
		t.Error("a question was asked by a bridge that stops")
	}
}

// Without NATS nothing is asked, and a page that reads an answer is asked to come back: it is told neither that the run is over nor that there is
// none.
func TestRunsWithoutNATS(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	n := startNode(t, questions(settings{"NATS_URL": server.URL(), "HISTORY": "answers.>", "HISTORY_MAX_BYTES": "16MiB"}))
	work(t, server.URL(), "llm.echo", replies("1", ""))
	asker := follow(t, askWith(t, "POST", n.URL()+"/ask/echo", "q", asStream))
	asker.rest()
	server.Kill()
	eventually(t, "the bridge has noticed", func() bool {
		status, body := status(t, "POST", n.URL()+"/ask/echo", "q")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "#unavailable")
	})
	reader := follow(t, askWith(t, "GET", n.URL()+"/answers/AAAAAAAAAAAAAAAAAAAAAAAAAA", ""))
	if said := reader.next(); said != bridge.EventClose+` {"reason":"busy"}` {
		t.Errorf("the page is told %s", said)
	}
	server.Start(t)
	eventually(t, "the run can be read again", func() bool {
		reader := follow(t, askWith(t, "GET", n.URL()+asker.path, ""))
		return reader.next() == "message 1" && slices.Equal(reader.rest(), []string{"message 1", runEnd})
	})
}
