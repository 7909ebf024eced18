package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// No caller but the asker reads, stops, extends or finds a run, in any way: to others a run that exists looks like one that does not.
func TestRunsAreTheirAskersOwn(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	n := startNode(t, signedIn(settings{
		"NATS_URL": server.URL(), "HISTORY": "chat.>,answers.>", "HISTORY_MAX_BYTES": "16MiB",
		"ROUTES":              "ASK /ask/{model}=llm.{model},ASK /mine=llm.{claim.tenant}",
		"ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>,llm.>", "PRESENCE": "chat.>,answers.>",
	}))
	eventually(t, "tokens can be checked", n.isReady)
	stops := make(chan *nats.Msg, 10)
	work(t, server.URL(), "answers.*.*.stop", func(m *nats.Msg) { stops <- m })
	questions := make(chan *nats.Msg, 10)
	work(t, server.URL(), "llm.>", func(m *nats.Msg) {
		_ = m.Respond([]byte("secret"))
		questions <- m
	})
	signed := func(sub string, claims ...string) string {
		return "Authorization: Bearer " + newToken(t, append([]string{"--sub=" + sub}, claims...)...)
	}
	ada := signed("ada")
	asker := follow(t, askWith(t, "POST", n.URL()+"/ask/echo", "q", asStream, ada))
	if got := asker.next(); got != "message secret" {
		t.Fatal(got)
	}
	subject := (<-questions).Reply
	other := subject[:len(subject)-1] + map[bool]string{true: "B", false: "A"}[strings.HasSuffix(subject, "A")]
	callers := map[string]string{
		"anonymous": "X-Nobody: 1", "eve": signed("eve"),
		"eve with grants": signed("eve", "--allow-sub=answers.>", "--allow-pub=answers.>", "--wildcards"),
		"eve like ada":    signed("eve", "--allow-sub="+subject, "--allow-pub="+subject+",answers.>"),
	}
	for name, caller := range callers {
		t.Run(name, func(t *testing.T) {
			owner, run := subject[:strings.LastIndexByte(subject, '.')], asker.path[len("/answers/"):]
			for _, request := range []string{
				"GET /answers/%s", "DELETE /answers/%s", "GET /answers/%s?lastEventId=" + asker.last.ID, "HEAD /answers/%s", "POST /answers/%s", "GET /answers/%s.stop",
				"GET /events/" + owner + ".%s", "POST /events/" + owner + ".%s", "HEAD /events/" + owner + ".%s", "POST /events/" + owner + ".%s.stop",
				"GET /events?subject=" + owner + ".%s&subject=chat.a", "GET /presence/" + owner + ".%s", "GET /events/" + owner + ".%s?poll=1",
			} {
				method, path, _ := strings.Cut(request, " ")
				status1, body1 := status(t, method, n.URL()+fmt.Sprintf(path, run), "x", caller)
				status2, body2 := status(t, method, n.URL()+fmt.Sprintf(path, other[len(owner)+1:]), "x", caller)
				body2 = strings.ReplaceAll(body2, other[len(owner)+1:], run)
				if status1 < 400 || status1 != status2 || body1 != body2 {
					t.Errorf("%s: %d %s; of no run: %d %s", request, status1, body1, status2, body2)
				}
				if strings.Contains(body1, "secret") {
					t.Errorf("%s: %s", request, body1)
				}
			}
			for _, filter := range []string{"answers.%3E", "answers.*.*", "answers", "*.*.*", "%3E"} {
				if status, body := status(t, "GET", n.URL()+"/events/"+filter+"?poll=1", "", caller); status < 400 && strings.Contains(body, "secret") || status < 400 && filter != "answers" {
					t.Errorf("%s: %d %s", filter, status, body)
				}
			}
		})
	}
	named := signed("eve", "--claim=tenant=echo")
	// The same key of another caller is another question.
	for _, caller := range []string{ada, named} {
		if status, body := status(t, "POST", n.URL()+"/ask/echo", "q", caller, "Idempotency-Key: k"); status != 200 || body != "secret" {
			t.Errorf("%d %s", status, body)
		}
	}
	if one, two := <-questions, <-questions; one.Reply == two.Reply {
		t.Error("two callers share a run")
	}
	// A claim route asks on the subject that the token names, and on no other.
	if status, body := status(t, "POST", n.URL()+"/mine", "q", named); status != 200 || (<-questions).Subject != "llm.echo" {
		t.Errorf("%d %s", status, body)
	}
	if status, body := status(t, "POST", n.URL()+"/mine", "q", ada); status != http.StatusForbidden {
		t.Errorf("without the claim: %d %s", status, body)
	}
	if len(stops) > 0 {
		t.Errorf("somebody has stopped %s", (<-stops).Subject)
	}
	// Nothing has been added to the run.
	stream, err := connectJetStream(t, server.URL()).Stream(t.Context(), "TAILWATER")
	noError(t, err)
	info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter("answers.*."+asker.path[len("/answers/"):]+".>"))
	if err == nil && len(info.State.Subjects) > 0 {
		t.Errorf("stored below the run: %v", info.State.Subjects)
	}
	info, err = stream.Info(t.Context(), jetstream.WithSubjectFilter(subject))
	if err != nil || info.State.Subjects[subject] != 2 { // the preface, and the answer
		t.Errorf("the run holds %v, %v", info, err)
	}
}

// A bridge that asks nothing itself keeps the answers of the bridges beside it as theirs: it opens them to no token, and serves them to their
// askers.
func TestRunsAreTheirAskersOwnOnEveryBridge(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	external := func(more settings) *testNode {
		n := startNode(t, signedIn(with(settings{"NATS_URL": server.URL()}, more)))
		eventually(t, "tokens can be checked", n.isReady)
		return n
	}
	asking := external(settings{
		"HISTORY": "answers.>", "HISTORY_MAX_BYTES": "16MiB", "ROUTES": "ASK /ask/{model}=llm.{model}", "ANONYMOUS_PUBLISH": "llm.>",
	})
	other := external(settings{"ANONYMOUS_SUBSCRIBE": "chat.>", "PRESENCE": "chat.>,answers.>"})
	stops := make(chan *nats.Msg, 10)
	work(t, server.URL(), "answers.*.*.stop", func(m *nats.Msg) { stops <- m })
	subjects := make(chan string, 1)
	work(t, server.URL(), "llm.>", func(m *nats.Msg) {
		_ = m.Respond([]byte("secret"))
		subjects <- m.Reply
	})
	ada := "Authorization: Bearer " + newToken(t, "--sub=ada")
	eve := "Authorization: Bearer " + newToken(t, "--sub=eve", "--allow-sub=answers.>,chat.>", "--allow-pub=answers.>", "--wildcards")
	asker := follow(t, askWith(t, "POST", asking.URL()+"/ask/echo", "q", asStream, ada))
	if got := asker.next(); got != "message secret" {
		t.Fatal(got)
	}
	subject, id := <-subjects, asker.last.ID
	for _, request := range []string{
		"GET /events/" + subject, "GET /events/" + subject + "?poll=1", "GET /events/" + subject + "?poll=1&until=" + id, "GET /events/" + subject + "?since=1h",
		"GET /events/" + subject + "?lastEventId=" + id, "HEAD /events/" + subject, "GET /events?subject=chat.a&subject=" + subject,
		"GET /events/answers.%3E", "GET /events/answers.%3E?poll=1", "GET /events/answers.*.*?since=all", "GET /events?subject=answers.%3E&poll=1",
		"GET /events/*.%3E?poll=1", "GET /events/*.*.*?poll=1", "GET /events/%3E?poll=1", "HEAD /events/answers.%3E",
		"GET /presence/" + subject, "GET /presence/answers.%3E?poll=1", "GET /events/" + subject + "?presence=1", "GET /events/answers.%3E?presence=observe",
		"POST /events/" + subject, "POST /events/" + subject + ".stop", "POST /events/answers.new",
	} {
		method, path, _ := strings.Cut(request, " ")
		response := askWith(t, method, other.URL()+path, "x", eve)
		if response.StatusCode < 400 {
			t.Errorf("%s: %s", request, response.Status) // its body may have no end
			continue
		}
		status, body := answer(t, response)
		if status != http.StatusForbidden || strings.Contains(body, "secret") {
			t.Errorf("%s: %d %s", request, status, body)
		}
		if named := strings.Contains(path, "answers."); method != "HEAD" && named && !strings.Contains(body, "TAILWATER_ANSWERS") {
			t.Errorf("%s: the reason does not name the setting: %s", request, body)
		}
	}
	for _, method := range []string{"GET", "DELETE"} {
		if status, body := status(t, method, other.URL()+asker.path, "", eve); status != http.StatusNotFound {
			t.Errorf("%s of another's run: %d %s", method, status, body)
		}
	}
	if len(stops) > 0 {
		t.Errorf("somebody has stopped %s", (<-stops).Subject)
	}
	if got := follow(t, askWith(t, "GET", other.URL()+asker.path, "", ada)).next(); got != "message secret" {
		t.Errorf("the asker gets %s", got)
	}
	if status, body := status(t, "DELETE", other.URL()+asker.path, "", ada); status != http.StatusAccepted {
		t.Errorf("the asker cannot stop: %d %s", status, body)
	}
	if stop := <-stops; stop.Subject != subject+".stop" {
		t.Errorf("stopped: %s", stop.Subject)
	}
	if _, out, _ := call(t, settings{"NATS_URL": server.URL()}, "check"); !strings.Contains(out, "answers.>, at /answers/ (TAILWATER_ANSWERS)") {
		t.Errorf("check does not say whose answers.> is:\n%s", out)
	}
	// Who wants these subjects for messages says so.
	for _, word := range []string{"", "runs"} {
		free := external(settings{"ANSWERS": word})
		if status, body := status(t, "GET", free.URL()+"/events/"+subject+"?poll=1", "", eve); status != http.StatusOK {
			t.Errorf("ANSWERS=%q: %d %s", word, status, body)
		}
		if status, body := status(t, "GET", free.URL()+asker.path, "", ada); status != http.StatusNotFound {
			t.Errorf("ANSWERS=%q: %d %s", word, status, body)
		}
	}
}
