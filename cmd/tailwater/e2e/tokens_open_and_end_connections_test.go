package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/cmd/tailwater/nodetest"
)

// signedIn are settings with everything that has to do with tokens, over what is given.
func signedIn(more settings) settings {
	all := settings{
		"AUTH_JWT_SECRET": tokenSecret, "AUTH_TICKET_SECRET": ticketSecret, "AUTH_COOKIE": "tailwater", "LOG_LEVEL": "debug",
		"ROUTES": "/inbox=user.{claim.sub}.inbox,POST /outbox=user.{claim.sub}.outbox",
	}
	for name, value := range more {
		all[name] = value
	}
	return all
}

// newToken calls the command with the secret of signedIn.
func newToken(t *testing.T, args ...string) string {
	t.Helper()
	code, out, stderr := call(t, settings{"AUTH_JWT_SECRET": tokenSecret}, append([]string{"token"}, args...)...)
	if code != 0 || strings.Count(out, ".") != 2 {
		t.Fatalf("exit code %d: %s%s", code, out, stderr)
	}
	secrets.Plant(strings.TrimSpace(out))
	return strings.TrimSpace(out)
}

// request sends a request with a token, and gives what came of it.
func request(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	return status(t, method, withQuery(url), body, bearer(token))
}

// newTicket gives a ticket for a token, as soon as the node knows what is revoked.
func newTicket(t *testing.T, n *testNode, token string) string {
	t.Helper()
	eventually(t, "tokens can be checked", n.isReady)
	status, body := request(t, "POST", n.URL()+"/session", token, "")
	var session struct{ Ticket string }
	if err := json.Unmarshal([]byte(body), &session); err != nil || status != 200 || session.Ticket == "" {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	secrets.Plant(session.Ticket)
	return session.Ticket
}

// isReady reports whether tokens can be checked.
func (n *testNode) isReady() bool { return n.Live.Ready() == nil }

// seal returns what the bridge makes of a token: a ticket, or else its cookie's value.
func (n *testNode) seal(t *testing.T, client *http.Client, token string) string {
	t.Helper()
	response := askBy(t, client, http.MethodPost, n.URL()+"/session", "", bearer(token))
	var session struct{ Ticket string }
	if err := json.NewDecoder(response.Body).Decode(&session); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", response.Status, err)
	}
	if session.Ticket != "" {
		return session.Ticket
	}
	cookie, err := http.ParseSetCookie(response.Header.Get("Set-Cookie"))
	noError(t, err)
	return cookie.Value
}

// revoked makes the bucket, and gives how to revoke.
func revoked(t *testing.T, js jetstream.JetStream) func(key string) {
	t.Helper()
	kv, err := js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: auth.RevokedBucket})
	noError(t, err)
	return func(key string) {
		t.Helper()
		if _, err := kv.Put(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// Over both writers, from the command that makes a token to the end of what it opened.
func TestSignIn(t *testing.T) {
	t.Parallel()
	for _, loops := range []string{"0", "1"} {
		t.Run(loops+" loops", func(t *testing.T) {
			n := startNode(t, signedIn(settings{"HTTP_LOOPS": loops}))
			revoke := revoked(t, jetstreamOf(t, n.client(t, adminFile)))
			alice := newToken(t, "--sub=alice", "--jti=t1", "--allow-sub=news.>", "--deny-sub=news.secret", "--allow-pub=news.a")
			bob := newToken(t, "--sub=bob")

			url := n.URL() + "/inbox?ticket=" + newTicket(t, n, alice)
			inbox, opening := subscribe(t, url, "")
			if opening.Data != `{"subjects":["user.alice.inbox"],"heartbeat":15}` {
				t.Errorf("%+v", opening)
			}
			bobs, _ := subscribe(t, n.URL()+"/inbox?ticket="+newTicket(t, n, bob), "")
			conn := n.client(t, publisherFile)
			for _, subject := range []string{"user.mallory.inbox", "user.bob.inbox", "user.alice.inbox"} {
				noError(t, conn.Publish(subject, []byte("to "+subject)))
			}
			last := inbox.expect("message", "to user.alice.inbox").ID
			inbox.body.Close()
			inbox, opening = subscribe(t, url, last) // as EventSource comes back: to the same URL
			if opening.Type != "tailwater:open" || opening.ID != last {
				t.Errorf("%+v", opening)
			}
			bobs.expect("message", "to user.bob.inbox")
			for _, test := range []struct {
				method, path, token string
				status              int
			}{
				{"HEAD", "/events/news.a", alice, 200},
				{"HEAD", "/events/news.secret", alice, 403},
				{"HEAD", "/events/news.a", "", 403},
				{"HEAD", "/events/user.alice.inbox", alice, 403},
				{"HEAD", "/events/news.a", bob, 403},
				{"HEAD", "/inbox", "", 401},
				{"POST", "/events/news.a", alice, 202},
				{"POST", "/events/news.b", alice, 403},
				{"POST", "/outbox", bob, 202},
				{"POST", "/inbox", bob, 403},
				{"POST", "/events/chat.a", alice + "x", 401},
				{"HEAD", "/events/chat.a?token=" + alice, "", 400},
			} {
				if status, body := request(t, test.method, n.URL()+test.path, test.token, "hi"); status != test.status {
					t.Errorf("%s %.40s: %d %s", test.method, test.path, status, body)
				}
			}

			start := time.Now()
			revoke("jti.t1")
			inbox.expect("tailwater:close", `{"reason":"auth"}`)
			if took := time.Since(start); *soak && took > time.Second {
				t.Errorf("the revocation took %v", took)
			}
			if status, body := request(t, "POST", n.URL()+"/events/news.a", alice, "hi"); status != 401 || !strings.Contains(body, "was revoked") {
				t.Errorf("%d %s", status, body)
			}
			revoke("sub.bob")
			bobs.expect("tailwater:close", `{"reason":"auth"}`)

			brief, _ := subscribe(t, n.URL()+"/inbox?ticket="+newTicket(t, n, newToken(t, "--sub=eve", "--expires=1500ms")), "")
			brief.expect("tailwater:close", `{"reason":"auth"}`)
			eventually(t, "the metrics count them", func() bool {
				_, metrics := get(t, n.AdminURL()+"/metrics")
				return strings.Contains(metrics, `tailwater_connections_closed_total{reason="auth"} 3`)
			})
		})
	}
}

// A ticket is good on every node that has the secret, a revocation on every node, also on one that was away.
func TestSignInOnManyNodes(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	js := connectJetStream(t, server.URL())
	revoke := revoked(t, js)
	s := signedIn(settings{"NATS_URL": server.URL(), "ADMIN_LISTEN": ""})
	first, second := startNode(t, s), startNode(t, s)
	token := newToken(t, "--sub=alice", "--jti=t1")
	ticket, _ := newTicket(t, first, token), newTicket(t, second, token)
	var open []*subscription
	for _, n := range []*testNode{first, second} {
		c, _ := subscribe(t, n.URL()+"/inbox?ticket="+ticket, "")
		open = append(open, c)
	}
	revoke("jti.t1")
	for _, c := range open {
		c.expect("tailwater:close", `{"reason":"auth"}`)
	}
	third := startNode(t, s)
	eventually(t, "a new node knows", func() bool {
		status, body := request(t, "POST", third.URL()+"/outbox", token, "hi")
		return status == 401 && strings.Contains(body, "was revoked")
	})
	if status, body := request(t, "POST", third.URL()+"/outbox", newToken(t, "--sub=alice"), "hi"); status != 202 {
		t.Errorf("%d %s", status, body)
	}

	other := signedIn(settings{"NATS_URL": server.URL(), "ADMIN_LISTEN": "", "AUTH_TICKET_SECRET": ticketSecret + "x"})
	fourth := startNode(t, other)
	newTicket(t, fourth, newToken(t, "--sub=bob"))
	if status, body := get(t, fourth.URL()+"/inbox?ticket="+newTicket(t, first, newToken(t, "--sub=bob"))); status != 401 || !strings.Contains(body, "this bridge did not make it") {
		t.Errorf("%d %s", status, body)
	}
}

// A key that is changed ends no connection: each ends with its own token. Tokens of the new key are good at once.
func TestKeyIsChangedWhileOpen(t *testing.T) {
	t.Parallel()
	first, firstKey := newKeySet(t, "first")
	second, secondKey := newKeySet(t, "second")
	var now atomic.Pointer[[]byte]
	now.Store(&first)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(*now.Load()) }))
	defer provider.Close()
	n := startNode(t, settings{"AUTH_JWKS_URL": provider.URL, "AUTH_TICKET_SECRET": ticketSecret, "ROUTES": "/inbox=user.{claim.sub}.inbox"})
	token := func(id string, key ed25519.PrivateKey) string {
		unsigned := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"sub": id, "exp": time.Now().Add(time.Hour).Unix()})
		unsigned.Header["kid"] = id
		signed, err := unsigned.SignedString(key)
		noError(t, err)
		secrets.Plant(signed)
		return signed
	}
	before, _ := subscribe(t, n.URL()+"/inbox?ticket="+newTicket(t, n, token("first", firstKey)), "")
	now.Store(&second)
	after, _ := subscribe(t, n.URL()+"/inbox?ticket="+newTicket(t, n, token("second", secondKey)), "")
	if status, body := request(t, "POST", n.URL()+"/session", token("first", firstKey), ""); status != 401 || !strings.Contains(body, "kid is not in the provider's key set") {
		t.Errorf("%d %s", status, body)
	}
	conn := n.client(t, publisherFile)
	for _, name := range []string{"first", "second"} {
		noError(t, conn.Publish("user."+name+".inbox", []byte("to "+name)))
	}
	before.expect("message", "to first")
	after.expect("message", "to second")
}

// newKeySet gives a key set of one new key, and what signs with it.
func newKeySet(t *testing.T, id string) (set []byte, private ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	noError(t, err)
	jwk, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: id}})
	noError(t, err)
	set, err = json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{jwk.Marshal()}})
	noError(t, err)
	return set, private
}

// Without NATS a node cannot know what is revoked: browsers with a token are asked to come back.
func TestSignInWithoutNATS(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	s := signedIn(settings{"NATS_URL": server.URL(), "ANONYMOUS_SUBSCRIBE": "chat.>"})
	server.Kill()
	n := startNode(t, s)
	if status, _ := get(t, n.AdminURL()+"/readyz"); status != 503 {
		t.Errorf("it is ready: %d", status)
	}
	token := newToken(t, "--sub=alice")
	if status, body := request(t, "GET", n.URL()+"/inbox", token, ""); status != 200 || !strings.Contains(body, "retry: ") || !strings.Contains(body, `{"reason":"busy"}`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := request(t, "POST", n.URL()+"/outbox", token, "hi"); status != 503 || !strings.Contains(body, "cannot check the token now") {
		t.Errorf("%d %s", status, body)
	}
	server.Start(t)
	eventually(t, "it is ready", func() bool {
		status, text := get(t, n.AdminURL()+"/readyz")
		return status == 200 && strings.HasPrefix(text, "ready; NATS is connected")
	})
	eventually(t, "it can be told", func() bool {
		status, _ := request(t, "POST", n.URL()+"/outbox", token, "hi")
		return status == 202
	})
}

// Neither secrets nor tokens nor tickets are ever logged, at whatever level, nor told by an answer.
func TestTokensAreNotLogged(t *testing.T) {
	t.Parallel()
	var said bridgetest.Output
	loaded := nodetest.Settings(t, signedIn(settings{"HTTP_LISTEN": "127.0.0.1:0", "ADMIN_LISTEN": "127.0.0.1:0", "EMBED_LISTEN": "", "EMBED_DIR": t.TempDir(), "DRAIN_WINDOW": "0s"}))
	opened, err := node.Open(loaded, slog.New(secrets.Log(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	noError(t, err)
	n := &testNode{Node: opened}
	t.Cleanup(func() { n.stop(t) })
	token := newToken(t, "--sub=alice")
	parts := strings.Split(token, ".")
	ticket := newTicket(t, n, token)
	for _, bad := range []string{token + "x", parts[0] + "." + parts[1] + ".", "x" + token, newToken(t, "--sub=x", "--expires=1ns")} {
		for _, where := range []string{"/events/chat.a", "/events/chat.a?since=yesterday", "/inbox", "/session", "/events/chat.a?ticket=" + bad, "/events/chat.a?ticket=x" + ticket, "/events/secret?ticket=" + ticket, "/events/chat.a?ticket=%zz" + ticket} {
			for _, method := range []string{"HEAD", "POST", "PUT"} {
				_, body := request(t, method, n.URL()+where, bad, "hi")
				_, _ = said.Write([]byte(body))
				_, body = request(t, method, n.URL()+where, "", "hi")
				_, _ = said.Write([]byte(body))
			}
		}
	}
	_, metrics := get(t, n.AdminURL()+"/metrics")
	_, _ = said.Write([]byte(metrics))
	n.stop(t)
	text := said.String()
	for _, planted := range []string{tokenSecret, ticketSecret, parts[1], parts[2], parts[0][4:], ticket[:20], ticket[len(ticket)-20:]} {
		if strings.Contains(text, planted) {
			t.Errorf("%s was told:\n%.2000s", planted, text[max(0, strings.Index(text, planted)-500):])
		}
	}
	if !strings.Contains(text, "refused a token") {
		t.Error("the log does not say why tokens were refused")
	}
}
