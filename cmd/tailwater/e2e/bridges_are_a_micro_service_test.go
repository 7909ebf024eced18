package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// ask sends a request to a service and returns the answer, or "refused: " and the reason.
func ask(t *testing.T, conn *nats.Conn, subject, data string) (answer map[string]any, refusal string) {
	t.Helper()
	message, err := conn.RequestWithContext(within(t), subject, []byte(data))
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	if refusal := message.Header.Get(micro.ErrorHeader); refusal != "" {
		return nil, refusal
	}
	if err := json.Unmarshal(message.Data, &answer); err != nil {
		t.Fatalf("%s: %v: %s", subject, err, message.Data)
	}
	return answer, ""
}

// within returns a context that ends with the patience of tests.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// unheard wants nobody to listen on a subject.
func unheard(t *testing.T, conn *nats.Conn, subject string) {
	t.Helper()
	if _, err := conn.RequestWithContext(within(t), subject, nil); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("%s: %v, want no responders", subject, err)
	}
}

// infoOf asks for the service as nats micro info does.
func infoOf(t *testing.T, conn *nats.Conn) (info micro.Info) {
	t.Helper()
	message, err := conn.RequestWithContext(within(t), "$SRV.INFO.tailwater", nil)
	if err == nil {
		err = json.Unmarshal(message.Data, &info)
	}
	noError(t, err)
	return info
}

// subjectOf returns the subject of an endpoint.
func subjectOf(t *testing.T, info micro.Info, name string) string {
	t.Helper()
	for _, e := range info.Endpoints {
		if e.Name == name {
			return e.Subject
		}
	}
	t.Fatalf("no endpoint %s in %+v", name, info.Endpoints)
	return ""
}

// Of a bridge whose embedded server asks for a credential, only the admin's context reaches the service. It sees and ends connections, and
// stops the bridge. Neither the clients' context nor any token does.
func TestAdministratorsAskTheBridge(t *testing.T) {
	t.Parallel()
	n := startNode(t, signedIn(settings{
		"ROUTES": "/inbox=user.{claim.sub}.inbox,ASK /agents=$SRV.INFO.agents silence=100ms,ASK /any/{subject...}=llm.{subject}", "HTTP_TRUSTED_PROXIES": "127.0.0.1", "HTTP_HOSTS": "127.0.0.1",
		"ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>",
	}))
	admin, local := n.client(t, adminFile), n.client(t, publisherFile)
	info := infoOf(t, admin)
	if info.Name != "tailwater" || info.Metadata["http"] != n.URL() || info.Version == "" {
		t.Errorf("info is %+v", info)
	}
	drain := subjectOf(t, info, "drain")
	connections, kick := subjectOf(t, info, "connections"), subjectOf(t, info, "kick")

	for _, subject := range []string{"$SRV.PING", "$SRV.INFO", "$SRV.STATS.tailwater", drain, connections, kick} {
		unheard(t, local, subject)
	}
	unheard(t, admin, "$SRV.INFO.agents")
	token := newToken(t, "--sub=alice", "--allow-sub=chat.>,llm.>", "--allow-pub=chat.>,llm.>,agents.>", "--wildcards")
	alice := "Authorization: Bearer " + token
	eventually(t, "tokens are taken", func() bool {
		code, _ := status(t, "POST", n.URL()+"/events/chat.room1", "", alice)
		return code == http.StatusCreated
	})
	for _, subject := range []string{drain, connections, kick, "$SRV.PING", "$TAILWATER.>"} {
		for _, path := range []string{"POST /events/", "GET /events/", "GET /presence/", "POST /any/", "HEAD /events?subject="} {
			method, path, _ := strings.Cut(path, " ")
			code, body := status(t, method, n.URL()+path+subject, `{"subject":"chat.>"}`, alice)
			if isBelow := path == "/any/" && code == http.StatusServiceUnavailable; code < 400 || code >= 500 && !isBelow { // nobody answers on llm.$…
				t.Errorf("%s %s%s: %d %s", method, path, subject, code, body)
			}
		}
	}
	if code, body := status(t, "POST", n.URL()+"/agents", "", alice); code != http.StatusOK && code != http.StatusServiceUnavailable || strings.Contains(body, "tailwater\"") {
		t.Errorf("agents: %d %s", code, body)
	}

	read := func(path string, headers ...string) *subscription {
		t.Helper()
		response := askWith(t, "GET", n.URL()+path, "", headers...)
		s := &subscription{bridgetest.NewStream(response.Body), t, response.Body}
		if event := s.next(); event.Type != "tailwater:open" {
			t.Fatalf("%s begins with %+v", path, event)
		}
		return s
	}
	signed := read("/inbox", alice)
	near, far := read("/events/chat.room1", "X-Forwarded-For: 192.0.2.1"), read("/events/chat.room2", "X-Forwarded-For: 2001:db8::2")
	answer, _ := ask(t, admin, connections, "")
	if got := fmt.Sprint(answer["open"], answer["callers"], answer["addresses"], answer["subjects"]); got !=
		"3 1 3 [map[connections:1 subject:chat.room1] map[connections:1 subject:chat.room2] map[connections:1 subject:user.alice.inbox]]" {
		t.Errorf("connections are %s", got)
	}
	for _, bad := range []string{
		"", "{}", "alice", `{"calle":"alice"}`, `{"caller":"alice"} {"caller":"bob"}`, `{"caller":"alice"}]`, `{"address":"nowhere"}`, `{"subject":"a..b"}`,
		`{"caller":1}`, `{"caller":"","subject":"chat.>"}`, `{"subject":""}`, `{"address":""}`,
	} {
		if answer, refusal := ask(t, admin, kick, bad); !strings.Contains(refusal, `{"caller":"alice"}`) {
			t.Errorf("%s: %v, %s", bad, answer, refusal)
		}
	}
	for request, want := range map[string]int{
		`{"caller":"bob"}`: 0, `{"caller":"alice","subject":"chat.>"}`: 0, `{"address":"192.0.2.2"}`: 0, `{"subject":"other.>"}`: 0,
	} {
		if answer, _ := ask(t, admin, kick, request); answer["kicked"] != float64(want) {
			t.Errorf("%s: %v", request, answer)
		}
	}
	for _, one := range []struct {
		request string
		whose   *subscription
	}{{`{"caller":"alice"}`, signed}, {`{"address":"192.0.2.0/24"}`, near}, {`{"subject":"chat.*"}`, far}} {
		if answer, _ := ask(t, admin, kick, one.request); answer["kicked"] != 1.0 || answer["id"] != info.ID {
			t.Errorf("%s: %v", one.request, answer)
		}
		one.whose.expect("tailwater:close", `{"reason":"kick"}`)
	}
	read("/inbox", alice) // whoever is not revoked comes back
	kv, err := jetstreamOf(t, admin).KeyValue(t.Context(), auth.RevokedBucket)
	if err == nil {
		_, err = kv.Put(t.Context(), "sub.alice", nil)
	}
	noError(t, err)
	eventually(t, "alice is revoked", func() bool {
		code, _ := status(t, "GET", n.URL()+"/inbox?poll=1", "", alice)
		return code == http.StatusUnauthorized
	})

	ended := make(chan error, 1)
	go func() { ended <- n.Wait(within(t), nil) }()
	last := read("/events/chat.room1", "X-Forwarded-For: 192.0.2.1")
	if answer, _ := ask(t, admin, drain, ""); answer["draining"] != true || answer["id"] != info.ID {
		t.Errorf("drain answers %v", answer)
	}
	if err := <-ended; err != nil || t.Context().Err() != nil {
		t.Errorf("the node ends with %v", err)
	}
	n.stop(t)
	last.expect("tailwater:close", `{"reason":"drain"}`)
}

// Before a NATS server of one's own, all bridges answer; who NATS does not allow to ask is refused; the service outlasts a restart of NATS. With
// what check prints, it needs nothing else. Where NATS does not allow it, check says so, and the bridge says so once and carries messages.
func TestServiceAtYourOwnNATS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := writeFile(t, dir, "nats.conf", "")
	server := bridgetest.StartNATSServer(t, "-c", config)
	s := settings{"NATS_URL": server.URL(), "ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>"}
	_, out, _ := call(t, s, "check")
	_, printed, _ := strings.Cut(out, "nats-server\n")
	printed, _, found := strings.Cut(printed, "\nVerdict: ")
	if !found || !strings.Contains(printed, "allow_responses = true") || !strings.Contains(out, "nats micro info tailwater") {
		t.Fatalf("check says:\n%s", out)
	}
	_, without, _ := call(t, with(s, settings{"NATS_SERVICE": ""}), "check")
	_, poorer, _ := strings.Cut(without, "nats-server\n")
	poorer, _, _ = strings.Cut(poorer, "\nVerdict: ")
	if strings.Contains(poorer, "$SRV") || strings.Contains(poorer, "allow_responses") {
		t.Errorf("without the service check says:\n%s", without)
	}
	server.Kill()
	writeFile(t, dir, "nats.conf", `authorization { users: [
		{ user: admin, password: s3cret }
		{ user: other, password: s3cret, permissions: { publish: ["chat.>", "$SRV.>"], subscribe: ["_INBOX.>"] } }
		{ user: bridge, password: s3cret`+"\n"+printed+`}
		{ user: poorer, password: s3cret`+"\n"+poorer+`} ] }`)
	server.Start(t)
	as := func(user string) settings {
		return with(s, settings{"NATS_URL": fmt.Sprintf("nats://%s:s3cret@127.0.0.1:%d", user, server.Port)})
	}
	code, out, stderr := call(t, as("poorer"), "check")
	if code != 0 || !strings.Contains(out, "! NATS does not let the bridge be a service") || !strings.Contains(out, `Subscription to "$TAILWATER.tailwater.check"`) {
		t.Errorf("exit code %d of check:\n%s%s", code, out, stderr)
	}

	var log bridgetest.Output
	n, second := startLogged(t, as("bridge"), &log), startNode(t, as("bridge"))
	admin := publisher(t, as("admin")["NATS_URL"])
	all := func() (ids []string) { return answersOf(t, admin, "$SRV.PING") }
	eventually(t, "both are there", func() bool { return len(all()) == 2 })
	server.Kill()
	server.Start(t)
	eventually(t, "both are there again", func() bool { return len(all()) == 2 })
	reader, _ := subscribe(t, second.URL()+"/events/chat.room1", "")
	if ids := answersOf(t, admin, "$TAILWATER.tailwater.connections"); len(ids) != 2 || ids[0] == ids[1] {
		t.Errorf("connections is answered by %v", ids)
	}
	other := publisher(t, as("other")["NATS_URL"], nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	refused(t, other, "$TAILWATER.tailwater.kick", func() error {
		return other.PublishRequest("$TAILWATER.tailwater.kick", "_INBOX.a", []byte(`{"subject":">"}`))
	})
	noError(t, admin.Flush())
	if status, body := post(t, n.URL()+"/events/chat.room1", "hello"); status != http.StatusAccepted {
		t.Errorf("POST: %d %s", status, body)
	}
	reader.expect("message", "hello") // nobody has kicked it
	if strings.Contains(strings.ToLower(log.String()), "violation") {
		t.Errorf("the bridge says:\n%s", log.String())
	}

	var poor bridgetest.Output
	third := startLogged(t, as("poorer"), &poor)
	eventually(t, "it says that it is refused", func() bool { return strings.Contains(poor.String(), "does not let this bridge be a service") })
	reader, _ = subscribe(t, third.URL()+"/events/chat.room1", "")
	server.Kill()
	server.Start(t)
	if err := until(reader.Stream, "tailwater:gap", ""); err != nil { // from here on it hears what is published
		t.Fatal(err)
	}
	if status, body := post(t, third.URL()+"/events/chat.room1", "hello"); status != http.StatusAccepted {
		t.Errorf("POST: %d %s", status, body)
	}
	reader.expect("message", "hello")
	if said := strings.Count(poor.String(), "NATS_SERVICE"); said != 1 {
		t.Errorf("it says so %d times:\n%s", said, poor.String())
	}
}

// answersOf returns the ids of the bridges that answer a request, of two at most.
func answersOf(t *testing.T, conn *nats.Conn, subject string) (ids []string) {
	t.Helper()
	inbox := conn.NewInbox()
	answers, err := conn.SubscribeSync(inbox)
	if err == nil {
		err = conn.PublishRequest(subject, inbox, nil)
	}
	for err == nil && len(ids) < 2 {
		var message *nats.Msg
		if message, err = answers.NextMsg(time.Second); err == nil && len(message.Data) > 0 {
			var said struct{ ID string }
			if json.Unmarshal(message.Data, &said) == nil && said.ID != "" {
				ids = append(ids, said.ID)
			}
		}
	}
	_ = answers.Unsubscribe()
	return ids
}
