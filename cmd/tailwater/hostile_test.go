package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// stranger is a caller who may read and write chat.> and nothing else.
type stranger struct {
	name    string
	headers []string // whole lines, in each of the caller's requests
}

var strangers = []stranger{{name: "anonymous"}}

// What must never be seen by a stranger, and what no stranger may get to where it does not belong.
const canary, planted = "CANARY-4f1e9b7a", "PLANTED-8c2d5e30"

// canaries are the subjects on which canaries sing.
var canaries = []string{"secret.plans", "$KV.canary.key", "$SYS.CANARY.x", "$JS.API.CANARY.x", "_INBOX.canary.x"}

// sing publishes a canary on each.
func sing(t *testing.T, conn *nats.Conn) {
	t.Helper()
	for _, subject := range canaries {
		message := nats.NewMsg(subject)
		message.Data = []byte(canary)
		message.Header.Set("Canary", canary)
		if err := conn.PublishMsg(message); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
}

// TestHostileRequests sends everything that might reach a forbidden subject, by each caller and method. No answer holds what
// was published there, whether before or while it was open; nothing arrives there; nothing redirects; and NATS is told
// nothing that it would not understand.
func TestHostileRequests(t *testing.T) {
	all := intrusions()
	if len(all) < 300 {
		t.Fatalf("there are only %d intrusions", len(all))
	}
	var log logBuffer
	n := startLogged(t, settings{
		"ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>", "ANONYMOUS_WILDCARDS": "true", "LIMIT_PUBLISH_RATE": "0", "DEMO_TIME": "false",
		"ROUTES": "/room/{name}=chat.{name},/deep/{rest...}=chat.{rest},/config/{key...}=$KV.config.{key}",
	}, &log)
	conn := publisher(t, n.natsURL())
	storeCanaries(t, conn)
	misplaced := watchMisplaced(t, conn)
	reader, _ := subscribe(t, n.url()+"/events/chat.end", "")

	var answers answers
	for _, stranger := range strangers {
		for _, a := range all {
			a.headers = append(a.headers, stranger.headers...)
			answers.ask(t, n.address, http.MethodGet, a)
			answers.ask(t, n.address, http.MethodPost, a)
		}
	}
	answers.begun.Wait()
	sing(t, conn)
	if err := conn.Publish("chat.end", []byte("end")); err != nil {
		t.Fatal(err)
	}
	reader.expect("message", "end") // behind the canaries, which went the same way
	n.stop(t)
	answers.ended.Wait()
	reader.body.Close()

	opened := 0
	for _, a := range answers.all {
		if a.check(t) == http.StatusOK {
			opened++
		}
	}
	if opened < 20 {
		t.Errorf("only %d of %d intrusions were served at all, which proves little of the others", opened, len(answers.all))
	}
	for _, subject := range misplaced() {
		t.Errorf("a stranger published on %s", subject)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") {
			t.Errorf("the log: %s", line)
		}
	}
	t.Logf("%d requests, %d of them served", len(answers.all), opened)
}

// storeCanaries keeps canaries in a stream and a bucket, beside a bucket that anyone may read.
func storeCanaries(t *testing.T, conn *nats.Conn) {
	t.Helper()
	js, err := conn.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "SECRET", Subjects: []string{"secret.>"}}); err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{"canary", "config"} {
		if _, err := js.CreateKeyValue(&nats.KeyValueConfig{Bucket: bucket}); err != nil {
			t.Fatal(err)
		}
	}
	sing(t, conn)
}

// watchMisplaced gives the subjects, other than chat.>, on which strangers have published.
func watchMisplaced(t *testing.T, conn *nats.Conn) func() []string {
	t.Helper()
	var mu sync.Mutex
	var found []string
	_, err := conn.Subscribe(">", func(m *nats.Msg) {
		// What consumers deliver comes on inboxes of the bridge's own.
		isDelivered := strings.HasPrefix(m.Subject, "_INBOX") && !strings.HasPrefix(m.Subject, "_INBOX.canary.")
		if strings.HasPrefix(m.Subject, "chat.") || isDelivered || !bytes.Contains(m.Data, []byte(planted)) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		found = append(found, m.Subject)
	})
	if err == nil {
		err = conn.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return found
	}
}

// answers are the connections of all requests, which are read until they end.
type answers struct {
	all          []*exchange
	begun, ended sync.WaitGroup // those whose answer has begun, or will never
}

// exchange is a request and what came of it.
type exchange struct {
	request string
	method  string
	answer  []byte
}

// ask sends a request, without waiting for its answer.
func (all *answers) ask(t *testing.T, address net.Addr, method string, a intrusion) {
	t.Helper()
	e := &exchange{method: method, request: raw(method, a)}
	all.all = append(all.all, e)
	conn, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	// The server may refuse a request before it has read all of it.
	_, _ = io.WriteString(conn, e.request)
	if method == http.MethodPost || a.saysLength() {
		_ = conn.(*net.TCPConn).CloseWrite() // whatever length it says to have
	}
	all.begun.Add(1)
	all.ended.Go(func() {
		defer conn.Close()
		hasBegun := sync.OnceFunc(all.begun.Done)
		defer hasBegun()
		part := make([]byte, 4096)
		for {
			n, err := conn.Read(part)
			e.answer = append(e.answer, part[:n]...)
			if err != nil {
				return
			}
			hasBegun()
		}
	})
}

func raw(method string, a intrusion) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nConnection: close\r\n", method, a.target)
	rest := a.lines()
	if !strings.HasPrefix(rest, "Host:") {
		text.WriteString("Host: localhost\r\n")
	}
	if rest != "" {
		text.WriteString(rest + "\r\n")
	}
	body := ""
	if method == http.MethodPost {
		body = planted
		if !a.saysLength() {
			fmt.Fprintf(&text, "Content-Length: %d\r\n", len(body))
		}
	}
	return text.String() + "\r\n" + body
}

// check looks for what must not be in an answer, and gives its status: 0 where there was no answer at all.
func (e *exchange) check(t *testing.T) int {
	t.Helper()
	what := fmt.Sprintf("%.200q", e.request)
	if bytes.Contains(e.answer, []byte(canary)) {
		t.Errorf("%s sees a canary: %q", what, e.answer)
	}
	if len(e.answer) == 0 {
		return 0
	}
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(e.answer)), &http.Request{Method: e.method})
	if err != nil {
		t.Errorf("%s is answered by what is no HTTP: %v: %.200q", what, err, e.answer)
		return 0
	}
	defer response.Body.Close()
	switch code := response.StatusCode; {
	case code >= 300 && code < 400, response.Header.Get("Location") != "":
		t.Errorf("%s is redirected: %s to %q", what, response.Status, response.Header.Get("Location"))
	case code == http.StatusInternalServerError, code == http.StatusBadGateway, code == http.StatusSwitchingProtocols:
		t.Errorf("%s is answered %s", what, response.Status)
	}
	if response.Header.Get("X-Injected") != "" || bytes.Contains(e.answer, []byte("\nX-Injected")) {
		t.Errorf("%s puts a header into the answer: %.300q", what, e.answer)
	}
	return response.StatusCode
}
