package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/tailwater/tailwater/bridge"
)

const (
	runEnd = bridge.EventEnd + " {}"
	silent = bridge.EventError + ` {"code":"504","description":"no answer for 1s","silent":true}`
)

// Whoever answers, and however: the asker gets each answer once and in order, then how the run has ended. The answer can be read again, by everybody
// who comes later, and is over for who has read it.
func TestQuestionsAreAnswered(t *testing.T) {
	t.Parallel()
	large, binary := strings.Repeat("x", 1<<20), "\x00\xff\x80"
	for _, isKept := range []bool{true, false} {
		n := startNode(t, questions(settings{"HISTORY": map[bool]string{true: "chat.>,answers.>", false: "chat.>"}[isKept]}))
		stored := connectJetStream(t, n.NATSURL())
		if _, err := stored.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WORK", Subjects: []string{"llm.stored"}}); err != nil {
			t.Fatal(err)
		}
		failing(t, n.NATSURL())
		for name, c := range map[string]struct {
			answers []string
			want    []string
			status  int // of the first message as the answer
		}{
			"many":   {[]string{"a", "b", "a", ""}, []string{"message a", "message b", "message a", runEnd}, 200},
			"none":   {[]string{""}, []string{runEnd}, 204},
			"large":  {[]string{large, large, ""}, []string{"message " + large, "message " + large, runEnd}, 200},
			"binary": {[]string{binary, ""}, []string{bridge.EventBinary + " " + base64.StdEncoding.EncodeToString([]byte(binary)), runEnd}, 200},
			"stored": {[]string{"a", ""}, []string{"message a", runEnd}, 200},
			"micro":  {nil, []string{bridge.EventError + ` {"code":"404","description":"no such model"}`}, 502},
		} {
			t.Run(fmt.Sprintf("%s, kept %t", name, isKept), func(t *testing.T) {
				if name != "micro" {
					work(t, n.NATSURL(), "llm."+name, replies(c.answers...))
				}
				asker := follow(t, askWith(t, "POST", n.URL()+"/ask/"+name, "q", asStream))
				if got := asker.rest(); !slices.Equal(got, c.want) {
					t.Errorf("the asker got %.300q", got)
				}
				later := follow(t, askWith(t, "GET", n.URL()+asker.path, ""))
				if got := later.rest(); !slices.Equal(got, c.want) {
					t.Errorf("a later reader got %.300q", got)
				}
				if status, body := status(t, "GET", n.URL()+asker.path, "", "Last-Event-ID: "+later.last.ID); status != http.StatusNoContent || body != "" {
					t.Errorf("behind the end: %d %s", status, body)
				}
				if status, body := status(t, "DELETE", n.URL()+asker.path, ""); status != http.StatusNoContent {
					t.Errorf("stop what has ended: %d %s", status, body)
				}
				status, body := status(t, "POST", n.URL()+"/ask/"+name, "q")
				if status != c.status || status == 200 && body != c.answers[0] {
					t.Errorf("the first message is %d %.300s", status, body)
				}
			})
		}
		if got := n.Live.Stats().Requests.Publishes; got["accepted"] != 11 || got["failed"] != 1 {
			t.Errorf("of twelve POSTs, of which one was answered 502: %v", got)
		}
	}
}

// Whoever answers without an end, or not at all, is told to be silent: to the asker, and to everybody who comes later.
func TestSilenceEndsAnswers(t *testing.T) {
	t.Parallel()
	n := startNode(t, questions(settings{"ANSWERS_SILENCE": "1s"}))
	work(t, n.NATSURL(), "llm.one", replies("a"))
	work(t, n.NATSURL(), "llm.none", replies())
	first := make(chan string)
	go func() {
		_, body := answer(t, askWith(t, "POST", n.URL()+"/ask/none", "q"))
		first <- body
	}()
	one := follow(t, askWith(t, "POST", n.URL()+"/ask/one", "q", asStream))
	none := follow(t, askWith(t, "POST", n.URL()+"/ask/none", "q", asStream))
	for reader, want := range map[*runReader][]string{one: {"message a", silent}, none: {silent}} {
		later := follow(t, askWith(t, "GET", n.URL()+reader.path, ""))
		if got := reader.rest(); !slices.Equal(got, want) {
			t.Errorf("the asker got %q", got)
		}
		if got := later.rest(); !slices.Equal(got, want) {
			t.Errorf("a later reader got %q", got)
		}
	}
	if body := <-first; !strings.Contains(body, "#silent") {
		t.Errorf("who waits for the first message got %s", body)
	}
}

// failing is a micro service whose every answer is an error.
func failing(t *testing.T, url string) {
	t.Helper()
	service, err := micro.AddService(publisher(t, url), micro.Config{Name: "failing", Version: "1.0.0", Endpoint: &micro.EndpointConfig{
		Subject: "llm.micro", Handler: micro.HandlerFunc(func(r micro.Request) { _ = r.Error("404", "no such model", nil) }),
	}})
	noError(t, err)
	t.Cleanup(func() { _ = service.Stop() })
}

// Of ten thousand answers at once none is missing, and the order is theirs.
func TestManyAnswers(t *testing.T) {
	t.Parallel()
	const many = 9_998 // with the preface and the end, as many as the stream keeps
	n := startNode(t, questions(nil))
	work(t, n.NATSURL(), "llm.many", func(m *nats.Msg) {
		for i := range many {
			_ = m.Respond([]byte(strconv.Itoa(i)))
		}
		_ = m.Respond(nil)
	})
	asker := follow(t, askWith(t, "POST", n.URL()+"/ask/many", "q", asStream))
	asked := asker.rest()
	later := follow(t, askWith(t, "GET", n.URL()+asker.path, "", "Accept: text/event-stream")).rest()
	for _, got := range [][]string{asked, later} {
		if len(got) != many+1 || got[many] != runEnd {
			t.Fatalf("%d events, the last %q", len(got), got[len(got)-1])
		}
		for i, said := range got[:many] {
			if said != fmt.Sprintf("message %d", i) {
				t.Fatalf("number %d is %q", i, said)
			}
		}
	}
}

// A run that is longer than the stream keeps is told to be cut, before its first message.
func TestCutRunIsTold(t *testing.T) {
	t.Parallel()
	n := startNode(t, questions(settings{"HISTORY_MAX_PER_SUBJECT": "5"}))
	work(t, n.NATSURL(), "llm.long", replies("1", "2", "3", "4", "5", "6", ""))
	asker := follow(t, askWith(t, "POST", n.URL()+"/ask/long", "q", asStream))
	asker.rest()
	eventually(t, "the run is cut", func() bool {
		got := follow(t, askWith(t, "GET", n.URL()+asker.path+"?format=json", "")).rest()
		return strings.HasPrefix(got[0], bridge.EventGap) && strings.Contains(got[1], `"data":"3"`) && got[len(got)-1] == runEnd
	})
}

// A question that nobody hears is refused at once, and asked again with the same key; a question that was heard is asked once.
func TestQuestionsAreAskedOnce(t *testing.T) {
	t.Parallel()
	n := startNode(t, questions(settings{"LIMIT_RUNS": "1"}))
	url := n.URL() + "/ask/late"
	const key = "Idempotency-Key: k"
	for range 2 {
		refused := askWith(t, "POST", url, "q", key, asStream)
		if status, body := answer(t, refused); status != 503 || !strings.Contains(body, "#no-responders") || refused.Header.Get("Retry-After") == "" {
			t.Fatalf("%d %s", status, body)
		}
	}
	heard := make(chan *nats.Msg, 10)
	work(t, n.NATSURL(), "llm.late", func(m *nats.Msg) { heard <- m })
	first := askWith(t, "POST", url, "q", key, "Prefer: respond-async")
	if status, body := answer(t, first); status != http.StatusAccepted || !strings.HasPrefix(first.Header.Get("Location"), "/answers/") || !strings.Contains(body, `"run":`) {
		t.Fatalf("%d %s", status, body)
	}
	again := follow(t, askWith(t, "POST", url, "q", key, asStream))
	if again.path != first.Header.Get("Location") {
		t.Errorf("the runs are %s and %s", again.path, first.Header.Get("Location"))
	}
	if status, body := status(t, "POST", url, "q"); status != http.StatusTooManyRequests || !strings.Contains(body, "#too-many-runs") {
		t.Errorf("one more: %d %s", status, body)
	}
	replies("a", "")(<-heard)
	if got := again.rest(); !slices.Equal(got, []string{"message a", runEnd}) {
		t.Errorf("got %q", got)
	}
	if status, body := status(t, "POST", url, "q", key, asStream, "Last-Event-ID: "+again.last.ID); status != http.StatusNoContent {
		t.Errorf("again, behind the end: %d %s", status, body)
	}
	eventually(t, "there is room for another", func() bool {
		status, _ := status(t, "POST", url, "q", "Prefer: respond-async")
		return status == http.StatusAccepted
	})
	<-heard
	if len(heard) > 0 {
		t.Errorf("%d more questions were asked", len(heard))
	}
}

// A stop reaches whoever answers, who may stop; the run ends as he ends it.
func TestStopReachesWhoeverAnswers(t *testing.T) {
	t.Parallel()
	n := startNode(t, questions(nil))
	worker := publisher(t, n.NATSURL())
	work(t, n.NATSURL(), "llm.endless", func(m *nats.Msg) {
		stopped, err := worker.SubscribeSync(m.Reply + ".stop")
		if err != nil || worker.Flush() != nil {
			t.Error("the worker cannot listen:", err)
			return
		}
		_ = m.Respond([]byte("a"))
		if stop, err := stopped.NextMsg(patience); err != nil || len(stop.Data) > 0 {
			t.Errorf("got %v, %v", stop, err)
		}
		_ = m.Respond([]byte("b"))
		_ = m.Respond(nil)
	})
	asker := follow(t, askWith(t, "POST", n.URL()+"/ask/endless", "q", asStream))
	if got := asker.next(); got != "message a" {
		t.Fatal(got)
	}
	if status, body := status(t, "DELETE", n.URL()+asker.path, ""); status != http.StatusAccepted || body != "" {
		t.Errorf("%d %s", status, body)
	}
	if got := asker.rest(); !slices.Equal(got, []string{"message a", "message b", runEnd}) {
		t.Errorf("got %q", got)
	}
}
