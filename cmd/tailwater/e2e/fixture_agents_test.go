package e2e

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// agentRoutes are settings with which a page lists agents and talks to them.
func agentRoutes(more settings) settings {
	return with(settings{
		"ROUTES":            "ASK /agents=$SRV.INFO.agents silence=1s,ASK /agents/{agent...}=agents.prompt.{agent} queries",
		"ANONYMOUS_PUBLISH": "chat.>,agents.prompt.>", "LIMIT_PUBLISH_RATE": "0",
	}, more)
}

// agent is a program that speaks NATS's agent protocol 0.3, as its specification has it: github.com/synadia-ai/synadia-agent-sdk-docs.
type agent struct {
	t       *testing.T
	conn    *nats.Conn
	service micro.Service
	name    string

	replies chan string        // to its queries, as they arrive
	work    chan string        // what "loop" says next
	asked   chan micro.Request // each prompt

	done    chan struct{} // closed at the end of the test
	working sync.WaitGroup
}

// startAgent starts the agent agents.prompt.test.ada.<name>.
func startAgent(t *testing.T, url, name string) *agent {
	t.Helper()
	a := &agent{t: t, conn: publisher(t, url), name: name, replies: make(chan string, 10), work: make(chan string), asked: make(chan micro.Request, 100), done: make(chan struct{})}
	service, err := micro.AddService(a.conn, micro.Config{
		Name: "agents", Version: "1.0.0", Description: "An agent for tests",
		Metadata: map[string]string{"agent": "test", "owner": "ada", "session": name, "protocol_version": "0.3"},
	})
	noError(t, err)
	a.service = service
	t.Cleanup(func() {
		_ = service.Stop()
		close(a.done)
		a.working.Wait()
	})
	endpoint := func(verb string, handle func(micro.Request), metadata map[string]string) {
		if err := service.AddEndpoint(
			verb, micro.HandlerFunc(handle), micro.WithEndpointSubject("agents."+verb+".test.ada."+name),
			micro.WithEndpointQueueGroup("agents"), micro.WithEndpointMetadata(metadata),
		); err != nil {
			t.Fatal(err)
		}
	}
	endpoint("prompt", func(r micro.Request) { a.working.Go(func() { a.prompt(r) }) }, map[string]string{"max_payload": "64KB", "attachments_ok": "true"})
	endpoint("status", func(r micro.Request) {
		_ = r.RespondJSON(map[string]any{
			"agent": "test", "owner": "ada", "session": name, "instance_id": service.Info().ID, "ts": time.Now().UTC().Format(time.RFC3339), "interval_s": 30,
		})
	}, nil)
	noError(t, a.conn.Flush())
	return a
}

type attachment struct {
	Filename string `json:"filename"`
	Content  string `json:"content"`
}

// envelope is a prompt. Text that does not begin with { stands for a prompt without anything else.
type envelope struct {
	Prompt      string       `json:"prompt"`
	Attachments []attachment `json:"attachments,omitempty"`
}

func (a *agent) prompt(r micro.Request) {
	a.asked <- r
	e := envelope{Prompt: string(r.Data())}
	if strings.HasPrefix(strings.TrimLeft(e.Prompt, "\t\n\r "), "{") {
		e = envelope{}
		_ = json.Unmarshal(r.Data(), &e)
	}
	say := func(kind string, data any) { _ = r.RespondJSON(map[string]any{"type": kind, "data": data}) }
	fail := func(code, description string) {
		_ = r.Error(code, description, []byte(`{"error":"test","message":"see the header"}`))
	}
	defer func() { _ = r.Respond(nil) }()
	if e.Prompt == "" {
		fail("400", "prompt missing or empty")
		return
	}
	say("status", "ack")
	switch word, rest, _ := strings.Cut(e.Prompt, " "); word {
	case "echo":
		for _, w := range strings.Fields(rest) {
			say("response", w+" ")
		}
		say("invention", map[string]int{"of": 2030})
	case "files":
		for i, file := range e.Attachments {
			content, err := base64.StdEncoding.DecodeString(file.Content)
			if err != nil {
				fail("400", "invalid base64")
				return
			}
			e.Attachments[i].Content = base64.StdEncoding.EncodeToString([]byte(strings.ToUpper(string(content))))
		}
		say("response", map[string]any{"text": "here", "attachments": e.Attachments})
	case "query":
		a.query(say, rest, a.conn.NewRespInbox())
	case "queryto":
		say("query", map[string]string{"id": "q-1", "reply_subject": rest, "prompt": "Why?"})
		text, _ := a.next()
		say("response", text)
	case "fail":
		say("response", "one")
		fail("429", rest)
	case "loop":
		for text, more := a.next(); more && text != ""; text, more = a.next() {
			say("response", text)
		}
	}
}

// next returns what the test wants to be said next; false at its end.
func (a *agent) next() (string, bool) {
	select {
	case text := <-a.work:
		return text, true
	case <-a.done:
		return "", false
	}
}

// query asks the caller two things at once, and says in which order the replies came.
func (a *agent) query(say func(string, any), prompt, inbox string) {
	type reply struct{ id, text string }
	got := make(chan reply, 2)
	for _, id := range []string{"q-1", "q-2"} {
		sub, err := a.conn.Subscribe(inbox+id, func(m *nats.Msg) {
			a.replies <- id + " " + string(m.Data)
			got <- reply{id, string(m.Data)}
		})
		if err != nil || sub.AutoUnsubscribe(1) != nil || a.conn.Flush() != nil {
			a.t.Error("the agent cannot listen:", err)
			return
		}
		say("query", map[string]string{"id": id, "reply_subject": inbox + id, "prompt": prompt})
	}
	for range 2 {
		select {
		case r := <-got:
			say("response", r.id+" "+r.text)
		case <-a.done:
			return
		}
	}
}
