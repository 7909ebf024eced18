package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

const (
	ack     = `message {"type":"status","data":"ack"}`
	aSecond = bridge.EventError + ` {"code":"504","description":"no answer for 1s","silent":true}`
)

// chunk is what an agent says, as an event.
func chunk(kind, data string) string { return fmt.Sprintf(`message {"data":%s,"type":%q}`, data, kind) }

// same reports whether two events say the same, whatever the order of keys.
func same(a, b string) bool {
	normal := func(text string) string {
		kind, data, _ := strings.Cut(text, " ")
		var value any
		if json.Unmarshal([]byte(data), &value) != nil {
			return text
		}
		again, _ := json.Marshal(value)
		return kind + " " + string(again)
	}
	return normal(a) == normal(b)
}

// Two agents are listed, each with where it takes prompts; the list ends after the silence of its route, and not that of the others.
func TestAgentsAreListed(t *testing.T) {
	t.Parallel()
	n := startNode(t, agentRoutes(nil))
	if status, body := status(t, "POST", n.URL()+"/agents", ""); status != 503 || !strings.Contains(body, "#no-responders") {
		t.Errorf("without agents: %d %s", status, body)
	}
	startAgent(t, n.NATSURL(), "one")
	startAgent(t, n.NATSURL(), "two")
	work(t, n.NATSURL(), "$SRV.INFO.others", replies("secret", ""))
	got := follow(t, askWith(t, "POST", n.URL()+"/agents", "", asStream)).rest()
	if len(got) != 3 || got[2] != aSecond {
		t.Fatalf("got %q", got)
	}
	var subjects []string
	for _, event := range got[:2] {
		var info struct {
			Name      string
			Metadata  map[string]string
			Endpoints []struct {
				Name, Subject string
				QueueGroup    string `json:"queue_group"`
				Metadata      map[string]string
			}
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(event, "message ")), &info); err != nil || info.Name != "agents" || info.Metadata["protocol_version"] != "0.3" {
			t.Fatalf("%s: %v", event, err)
		}
		for _, e := range info.Endpoints {
			if e.Name == "prompt" && e.QueueGroup == "agents" && e.Metadata["max_payload"] == "64KB" {
				subjects = append(subjects, e.Subject)
			}
		}
	}
	if slices.Sort(subjects); !slices.Equal(subjects, []string{"agents.prompt.test.ada.one", "agents.prompt.test.ada.two"}) {
		t.Errorf("the agents take prompts at %q", subjects)
	}
}

// What an agent says arrives as it was said: chunks of every type in order, attachments both ways, errors; the end that follows an error is not told again.
func TestAgentsArePrompted(t *testing.T) {
	t.Parallel()
	n := startNode(t, agentRoutes(nil))
	one, two := startAgent(t, n.NATSURL(), "one"), startAgent(t, n.NATSURL(), "two")
	for _, test := range []struct {
		prompt string
		want   []string
	}{
		{"echo a b", []string{ack, chunk("response", `"a "`), chunk("response", `"b "`), chunk("invention", `{"of":2030}`), runEnd}},
		{`{"prompt":"echo a","new":1}`, []string{ack, chunk("response", `"a "`), chunk("invention", `{"of":2030}`), runEnd}},
		{
			`{"prompt":"files","attachments":[{"filename":"a.txt","content":"YWI="}]}`,
			[]string{ack, chunk("response", `{"text":"here","attachments":[{"filename":"a.txt","content":"QUI="}]}`), runEnd},
		},
		{"fail too many", []string{ack, chunk("response", `"one"`), bridge.EventError + ` {"code":"429","description":"too many"}`}},
		{`{"prompt":""}`, []string{bridge.EventError + ` {"code":"400","description":"prompt missing or empty"}`}},
	} {
		asker := follow(t, askWith(t, "POST", n.URL()+"/agents/test.ada.one", test.prompt, asStream))
		later := follow(t, askWith(t, "GET", n.URL()+asker.path, ""))
		for who, got := range map[string][]string{"asker": asker.rest(), "later": later.rest()} {
			if !slices.EqualFunc(got, test.want, same) {
				t.Errorf("%s: %s got %q, want %q", test.prompt, who, got, test.want)
			}
		}
	}
	if status, body := status(t, "POST", n.URL()+"/agents/test.ada.two", "echo x"); status != 200 || "message "+body == ack && len(two.asked) != 1 {
		t.Errorf("the other agent: %d %s", status, body)
	}
	if len(one.asked) != 5 || len(two.asked) != 1 {
		t.Errorf("%d and %d prompts", len(one.asked), len(two.asked))
	}
	if status, _ := status(t, "POST", n.URL()+"/agents/test.ada.three", "echo x"); status != 503 {
		t.Errorf("no such agent: %d", status)
	}
}

// An agent asks its caller in the middle of an answer, two things at once. Each reply reaches the query that it names, once; the agent goes on.
func TestAgentsQueryTheirCallers(t *testing.T) {
	t.Parallel()
	n := startNode(t, agentRoutes(nil))
	a := startAgent(t, n.NATSURL(), "one")
	asker := follow(t, askWith(t, "POST", n.URL()+"/agents/test.ada.one", "query Sure?", asStream))
	for _, want := range []string{`"ack"`, `"id":"q-1"`, `"id":"q-2"`} {
		if got := asker.next(); !strings.Contains(got, want) {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	reply := func(query, text string) int {
		status, _ := status(t, "POST", n.URL()+asker.path+"?query="+url.QueryEscape(query), text)
		return status
	}
	for _, test := range []struct {
		query, text string
		status      int
	}{{"", "yes", 400}, {"q-3", "yes", 409}, {"q-2", "no", 202}, {"q-2", "yes", 409}, {"q-1", `{"prompt":"yes"}`, 202}} {
		got := reply(test.query, test.text)
		if got != test.status {
			t.Errorf("reply %s to %q: %d, want %d", test.text, test.query, got, test.status)
		}
		if got != http.StatusAccepted {
			continue
		}
		if heard := <-a.replies; heard != test.query+" "+test.text {
			t.Errorf("the agent got %q", heard)
		}
		asker.next()
	}
	want := []string{chunk("response", `"q-2 no"`), chunk("response", `"q-1 {\"prompt\":\"yes\"}"`), runEnd}
	if got := asker.rest(); !slices.EqualFunc(got[3:], want, same) {
		t.Errorf("got %q", got)
	}
	if got := reply("q-1", "late"); got != 409 {
		t.Errorf("after the end: %d", got)
	}
	if len(a.replies) > 0 {
		t.Errorf("the agent got %q, too", <-a.replies)
	}
}

// Whatever a query says: the bridge publishes to inboxes of NATS's clients only, and only on routes that have said so.
func TestQueriesReachNothingElse(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	n := startNode(t, agentRoutes(settings{
		"NATS_URL": server.URL(), "HISTORY": "chat.>,answers.>", "HISTORY_MAX_BYTES": "16MiB",
		"ROUTES": "ASK /agents/{agent...}=agents.prompt.{agent} queries,ASK /plain/{agent...}=agents.prompt.{agent}",
	}))
	eventually(t, "the bridge is ready", n.isReady)
	a := startAgent(t, server.URL(), "one")
	heard := make(chan *nats.Msg, 10)
	work(t, server.URL(), ">", func(m *nats.Msg) {
		if string(m.Data) == "forward this" {
			heard <- m
		}
	})
	prompt := func(path, subject string, want int) {
		t.Helper()
		asker := follow(t, askWith(t, "POST", n.URL()+path, "queryto "+subject, asStream))
		for range 2 {
			asker.next()
		}
		status, body := status(t, "POST", n.URL()+asker.path+"?query=q-1", "forward this")
		if status != want {
			t.Errorf("%s, %s: %d %s", path, subject, status, body)
		}
		a.work <- "done"
		asker.rest()
	}
	for _, subject := range []string{
		"$JS.API.STREAM.DELETE.TAILWATER", "chat.room1", "_INBOX_tailwater.x", "_INBOX", "_INBOX.*", "_INBOX.>", "_INBOX..a", "answers.-.x", "_R_.a.b", "$SRV.PING", "_INBOX.a b",
	} {
		prompt("/agents/test.ada.one", subject, http.StatusForbidden)
	}
	prompt("/plain/test.ada.one", "_INBOX.a", http.StatusConflict)
	if len(heard) > 0 {
		t.Fatalf("forwarded to %s", (<-heard).Subject)
	}
	prompt("/agents/test.ada.one", "_INBOX.a", http.StatusAccepted)
	if m := <-heard; m.Subject != "_INBOX.a" || len(m.Header) > 0 {
		t.Errorf("forwarded to %s with %v", m.Subject, m.Header)
	}
}

// Nobody but the asker sees an agent's answer, replies to its query, or stops it. Who may prompt no agent may not list them either.
func TestAgentsAnswerTheirAskers(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	n := startNode(t, signedIn(agentRoutes(settings{
		"NATS_URL": server.URL(), "HISTORY": "chat.>,answers.>", "HISTORY_MAX_BYTES": "16MiB", "ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>",
	})))
	eventually(t, "tokens can be checked", n.isReady)
	a := startAgent(t, server.URL(), "one")
	signed := func(sub string, claims ...string) string {
		return "Authorization: Bearer " + newToken(t, append([]string{"--sub=" + sub}, claims...)...)
	}
	ada, eve := signed("ada", "--allow-pub=agents.prompt.>"), signed("eve", "--allow-pub=agents.prompt.test.eve.>")
	asker := follow(t, askWith(t, "POST", n.URL()+"/agents/test.ada.one", "query Sure?", asStream, ada))
	for range 3 {
		asker.next()
	}
	none := strings.Repeat("A", len(asker.path)-len("/answers/"))
	for name, caller := range map[string]string{"anonymous": "X-Nobody: 1", "eve": eve} {
		for _, request := range []string{"GET %s", "DELETE %s", "POST %s?query=q-1", "POST %s?query=q-3", "POST %s"} {
			method, path, _ := strings.Cut(request, " ")
			status1, body1 := status(t, method, n.URL()+fmt.Sprintf(path, asker.path), "yes", caller)
			status2, body2 := status(t, method, n.URL()+fmt.Sprintf(path, "/answers/"+none), "yes", caller)
			if status1 < 400 || status1 != status2 || body1 != body2 {
				t.Errorf("%s, %s: %d %s; of no run: %d %s", name, request, status1, body1, status2, body2)
			}
		}
		if status, body := status(t, "POST", n.URL()+"/agents/test.ada.one", "echo x", caller); status != http.StatusForbidden {
			t.Errorf("%s prompts: %d %s", name, status, body)
		}
	}
	for name, test := range map[string]struct {
		caller string
		status int
	}{
		"anonymous": {"X-Nobody: 1", 403}, "nobody": {signed("nobody"), 403}, "chat": {signed("chat", "--allow-pub=news.>"), 403},
		"denied all": {signed("denied", "--allow-pub=agents.prompt.>", "--deny-pub=agents.>"), 403},
		"denied":     {signed("denied", "--allow-pub=agents.prompt.>", "--deny-pub=$SRV.>"), 403},
		"eve":        {eve, 200}, "ada": {ada, 200},
	} {
		if status, body := status(t, "POST", n.URL()+"/agents", "", test.caller); status != test.status || status == 200 && !strings.Contains(body, `"name":"agents"`) {
			t.Errorf("%s lists: %d %s", name, status, body)
		}
	}
	// The exception is no door to the rest of NATS's own subjects.
	for _, request := range []string{
		"GET /agents", "HEAD /agents", "GET /events/$SRV.INFO.agents", "POST /events/$SRV.INFO.agents", "POST /events/$SRV.PING", "GET /presence/$SRV.INFO.agents",
		"POST /agents/$SRV.INFO.agents", "POST /agents/../$SRV.PING", "GET /events?subject=$SRV.INFO.agents",
	} {
		method, path, _ := strings.Cut(request, " ")
		if status, body := status(t, method, n.URL()+path, "x", ada); status < 400 || status == 503 && !strings.Contains(body, "#no-responders") {
			t.Errorf("%s: %d %s", request, status, body)
		}
	}
	if len(a.replies) > 0 {
		t.Errorf("somebody has replied %q", <-a.replies)
	}
	for _, id := range []string{"q-1", "q-2"} {
		if status, body := status(t, "POST", n.URL()+asker.path+"?query="+id, "yes", ada); status != 202 {
			t.Errorf("the asker: %d %s", status, body)
		}
	}
	if got := asker.rest(); got[len(got)-1] != runEnd {
		t.Errorf("got %q", got)
	}
}
