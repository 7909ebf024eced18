package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// posts counts those of postKey.
var posts atomic.Uint32

// postKey posts with an Idempotency-Key, and returns the status and the answer.
// Each request comes from another address.
func postKey(t *testing.T, url, token, key, body string) (int, string) {
	t.Helper()
	return status(t, http.MethodPost, url, body, "Idempotency-Key: "+key, fmt.Sprint("X-Forwarded-For: 192.0.2.", posts.Add(1)%256), bearer(token))
}

// Nobody can use up the key of another: neither another caller, nor on another subject, nor a program on NATS. What one caller repeats
// is stored once, on whatever bridge, from whatever address.
func TestKeysAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	s := signedIn(settings{
		"NATS_URL": server.URL(), "HISTORY": "chat.>", "ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>", "ADMIN_LISTEN": "",
		"HTTP_TRUSTED_PROXIES": "127.0.0.1", "HTTP_HOSTS": "127.0.0.1",
	})
	first, second := startNode(t, s), startNode(t, s)
	alice := sign(t, tokenSecret, writerOf("alice"))
	bob := sign(t, tokenSecret, writerOf("bob"))
	eventually(t, "tokens can be checked", func() bool { return first.isReady() && second.isReady() })
	const key = "order-1234"
	for _, test := range []struct {
		what, token, subject, body string
		status                     int
		says                       string
	}{
		{"a stranger", "", "chat.a", "a stranger's", 201, `"duplicate":false`},
		{"the stranger again", "", "chat.a", "a stranger's", 201, `"duplicate":true`},
		{"another stranger", "", "chat.a", "another stranger's", 201, `"duplicate":false`},
		{"alice", alice, "chat.a", "alice's", 201, `"duplicate":false`},
		{"alice again", alice, "chat.a", "alice's", 201, `"duplicate":true`},
		{"alice with another message", alice, "chat.a", "alice's other", 422, "key-used"},
		{"alice on another subject", alice, "chat.b", "alice's", 201, `"duplicate":false`},
		{"bob with the same message", bob, "chat.a", "alice's", 201, `"duplicate":false`},
		{"a stranger with the same message", "", "chat.a", "alice's", 201, `"duplicate":false`},
	} {
		for _, n := range []*testNode{first, second} {
			status, body := postKey(t, n.URL()+"/events/"+test.subject, test.token, key, test.body)
			if status != test.status || !strings.Contains(body, test.says) {
				t.Errorf("%s: %d %s", test.what, status, body)
			}
			test.says = strings.ReplaceAll(test.says, "false", "true") // the other bridge knows it as well
		}
	}

	conn := publisher(t, server.URL())
	js, err := conn.JetStream()
	noError(t, err)
	publish := func(subject, id string) {
		t.Helper()
		if ack, err := js.Publish(subject, []byte("of a backend"), nats.MsgId(id)); err != nil || ack.Duplicate {
			t.Errorf("on %s, with the id %q: %+v, %v", subject, id, ack, err)
		}
	}
	publish("chat.c", key)
	// An id of ours is bound to what it was made of: written by hand, it swallows nothing that is told to be stored.
	stored, err := js.GetLastMsg("TAILWATER", "chat.b")
	noError(t, err)
	id := stored.Header.Get("Nats-Msg-Id")
	if !strings.HasPrefix(id, "tailwater-key.") || strings.Contains(id, key) || strings.Contains(id, "alice") {
		t.Errorf("the id is %q", id)
	}
	noError(t, js.PurgeStream("TAILWATER"))
	publish("chat.c", "another")
	live, _ := subscribe(t, first.URL()+"/events/chat.d?format=json", "")
	if status, body := postKey(t, first.URL()+"/events/chat.d", "", key, "hidden"); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := postKey(t, first.URL()+"/events/chat.d", "", "", "without"); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	publish("chat.d", "of-a-backend")
	for _, reader := range []*subscription{live, dial(t, first.URL()+"/events/chat.d?format=json&since=all", "")} {
		var all strings.Builder
		for !strings.Contains(all.String(), "of a backend") {
			all.WriteString(reader.next().Data)
		}
		if text := all.String(); strings.Contains(text, "tailwater-key") || !strings.Contains(text, `{"Nats-Msg-Id":["of-a-backend"]}`) || !strings.Contains(text, `"data":"hidden"`) || strings.Count(text, `"headers"`) != 1 {
			t.Error(text)
		}
	}
}

// writerOf is a token of a caller that may write to chat.>.
func writerOf(name string) auth.Claims {
	return auth.Claims{Subject: name, Expires: time.Now().Add(time.Hour), NATS: auth.Permissions{Pub: auth.Filters{Allow: []string{"chat.>"}}}}
}
