package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/httpapi"
)

// fakeAuth is an Auth whose tokens are names with a suffix, and whose tickets are them reversed.
type fakeAuth struct {
	tickets, sealless bool

	mu      sync.Mutex
	away    bool
	revoked map[string]bool // by name
}

// Tokens. By these they would be found wherever they are told.
const (
	tokenSuffix, ticketPrefix = "-8c2d5e30", "03e5d2c8-"
	alice, bob, mallory       = "alice" + tokenSuffix, "bob" + tokenSuffix, "mallory" + tokenSuffix
	bearerAlice, bearerBob    = "Bearer " + alice, "Bearer " + bob
	ticketAlice, cookieAlice  = ticketPrefix + "ecila", "session=" + ticketAlice
)

const lookLikeAToken = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"

func (f *fakeAuth) Token(_ context.Context, token string) (bridge.Caller, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name, isToken := strings.CutSuffix(token, tokenSuffix)
	caller := bridge.Caller{Name: name, Token: "jti-" + name, Until: time.Now().Add(time.Hour), Claims: map[string]string{"sub": name}}
	switch {
	case f.away:
		return bridge.Caller{}, fmt.Errorf("%w: the provider is at 10.0.0.7", bridge.ErrNoVerdict)
	case f.revoked[name]:
		return bridge.Caller{}, fmt.Errorf("%w: the token was revoked", bridge.ErrToken)
	case !isToken:
		return bridge.Caller{}, fmt.Errorf("%w: the token is no good", bridge.ErrToken)
	case name == "alice":
		caller.Grant = bridge.Grant{
			Subscribe: subjects("news.>"), DenySubscribe: subjects("news.secret", "chat.staff"), Publish: subjects("news.a"), DenyPublish: subjects("chat.staff"), Wildcards: true,
		}
	case name == "bob", name == "odd.name", strings.HasPrefix(name, "long"):
	case name == "brief":
		caller.Until = time.Now().Add(300 * time.Millisecond)
	default:
		return bridge.Caller{}, fmt.Errorf("%w: the token is no good", bridge.ErrToken)
	}
	return caller, nil
}

func (f *fakeAuth) Ticket(ctx context.Context, ticket string) (bridge.Caller, error) {
	return f.Token(ctx, f.Seal(ticket))
}

func (f *fakeAuth) Seal(token string) string {
	var reversed strings.Builder
	for i := len(token) - 1; i >= 0; i-- {
		reversed.WriteByte(token[i])
	}
	return reversed.String()
}

func (f *fakeAuth) Tickets() bool { return f.tickets }

func (f *fakeAuth) Seals() bool { return !f.sealless }

func (f *fakeAuth) Revoked(caller bridge.Caller) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.revoked[caller.Name]
}

func (f *fakeAuth) revoke(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revoked = map[string]bool{name: true}
}

func (f *fakeAuth) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = true
}

// signedIn is config with tokens, tickets, a cookie and routes with claims.
func signedIn(t testing.TB) (httpapi.Config, *fakeAuth) {
	c, auth := config(), &fakeAuth{tickets: true}
	c.Auth, c.Cookie = auth, "session"
	c.Routes = routes(t, "/inbox=user.{claim.sub}.inbox", "POST /outbox=user.{claim.sub}.outbox", "/config/{key...}=$KV.config.{key}", "/mine/{x...}=news.{claim.sub}.{x}")
	return c, auth
}

// status returns the status of a request, without waiting for the end of its answer.
func (b *fixture) status(t *testing.T, method, target string, headers ...string) int {
	t.Helper()
	response := b.send(t, method, target, nil, headers...)
	response.Body.Close()
	return response.StatusCode
}

func TestWhoMayWhat(t *testing.T) {
	c, _ := signedIn(t)
	b := start(t, c)
	for _, test := range []struct {
		method, target, token string // no token: anonymous
		status                int
	}{
		{"GET", "/events/chat.a", "", 200},
		{"GET", "/events/chat.a", alice, 200},
		{"GET", "/events/news.a", "", 403},
		{"GET", "/events/news.a", alice, 200},
		{"GET", "/events/news.a", bob, 403},
		{"GET", "/events/news.a", mallory, 401},
		{"GET", "/events/chat.a", mallory, 401}, // although anyone may read it
		{"GET", "/events/news.secret", alice, 403},
		{"GET", "/events/news.%3E", alice, 403}, // it would bring the secret
		{"GET", "/events/news.a.%3E", alice, 200},
		{"GET", "/events/chat.%3E", alice, 403}, // her wildcards are for what her token allows
		{"GET", "/events/chat.staff", "", 200},
		{"GET", "/events/chat.staff", alice, 403}, // her token denies what everybody may
		{"GET", "/events/$SYS.a", alice, 403},
		{"GET", "/events?subject=chat.a&subject=news.a", alice, 200},
		{"GET", "/events?subject=chat.a&subject=news.secret", alice, 403},
		{"HEAD", "/events/news.a", alice, 200},
		{"HEAD", "/events/news.a", bob, 403},
		{"POST", "/events/news.a", alice, 202},
		{"POST", "/events/news.b", alice, 403},
		{"POST", "/events/news.a", bob, 403},
		{"POST", "/events/news.a", "", 403},
		{"POST", "/events/chat.a", bob, 202},
		{"POST", "/events/chat.a", mallory, 401},
		{"POST", "/events/chat.staff", alice, 403},

		{"GET", "/inbox", "", 401},
		{"GET", "/inbox", bob, 200},
		{"GET", "/inbox", "odd.name" + tokenSuffix, 403},
		{"POST", "/inbox", bob, 403},
		{"POST", "/inbox", "", 401},
		{"POST", "/outbox", bob, 202},
		{"POST", "/outbox", "", 401},
		{"POST", "/outbox", mallory, 401},
		{"GET", "/outbox", bob, 200},
		{"GET", "/mine/x", bob, 200},
		{"GET", "/mine/*", bob, 403},
		{"GET", "/mine/*", alice, 200},
		{"GET", "/events/user.bob.inbox", bob, 403}, // the route is the grant, and nothing else
		{"GET", "/events/user.alice.inbox", bob, 403},
		{"POST", "/events/user.bob.outbox", bob, 403},
		{"GET", "/config/a", "", 200},
		{"GET", "/config/%3E", alice, 200},
		{"POST", "/config/a", alice, 403},
	} {
		var headers []string
		if test.token != "" {
			headers = []string{"Authorization", "Bearer " + test.token}
		}
		if got := b.status(t, test.method, test.target, headers...); got != test.status {
			t.Errorf("%s %s as %q: %d instead of %d", test.method, test.target, test.token, got, test.status)
		}
	}
	if got := b.publisher.all(); len(got) != 3 || got[2].subject != "user.bob.outbox" {
		t.Errorf("%+v", got)
	}
}

// The browser never chooses the subject, whatever it adds to path or query.
func TestClaimNamesTheSubject(t *testing.T) {
	c, _ := signedIn(t)
	b := start(t, c)
	for _, target := range []string{"/inbox", "/inbox?subject=user.alice.inbox", "/inbox?claim.sub=alice&sub=alice"} {
		conn := b.get(t, target, "Authorization", bearerBob, "Sub", "alice")
		conn.next(t, bridge.EventOpen, `{"subjects":["user.bob.inbox"],"heartbeat":3600}`)
	}
	if a := b.do(t, "GET", "/inbox/alice", nil, "Authorization", bearerBob); a.status != 404 {
		t.Errorf("%+v", a)
	}
}

// The checks have one order: a refused caller learns nothing about later checks.
func TestOrderOfChecks(t *testing.T) {
	c, _ := signedIn(t)
	b := start(t, c)
	const bad = "Bearer " + mallory
	for _, test := range []struct {
		method, target string
		headers        []string
		status         int
		slug           string
	}{
		{"GET", "/nothing", []string{"Host", "evil.com", "Authorization", bad}, 421, "wrong-host"},
		{"GET", "/events/..", []string{"Origin", "https://evil.com", "Authorization", bad}, 403, "foreign-origin"},
		{"GET", "/nothing", []string{"Authorization", bad}, 404, "not-found"},
		{"PUT", "/events/..", []string{"Authorization", bad}, 405, "method"},
		{"GET", "/events/..", []string{"Authorization", bad}, 400, "bad-subject"},
		{"GET", "/events/secret?since=x", []string{"Authorization", bad}, 400, "bad-query"},
		{"POST", "/events/a?x=%zz", []string{"Authorization", bad}, 400, "bad-query"},
		{"GET", "/inbox?format=x", nil, 400, "bad-query"},
		{"GET", "/events/secret", []string{"Authorization", bad}, 401, "unauthorized"},
		{"POST", "/events/secret", []string{"Authorization", bad}, 401, "unauthorized"},
		{"GET", "/events/secret", []string{"Authorization", bearerBob}, 403, "forbidden"},
		{"POST", "/session", []string{"Host", "evil.com"}, 421, "wrong-host"},
		{"POST", "/session", []string{"Origin", "https://evil.com", "Authorization", bearerBob}, 403, "foreign-origin"},
		{"POST", "/session", []string{"Sec-Fetch-Site", "cross-site", "Authorization", bearerBob}, 403, "foreign-origin"},
		{"GET", "/session", []string{"Authorization", bad}, 405, "method"},
	} {
		a := b.do(t, test.method, test.target, strings.NewReader(""), test.headers...)
		if a.status != test.status {
			t.Errorf("%s %s %q: %d", test.method, test.target, test.headers, a.status)
			continue
		}
		a.problem(t, test.status, test.slug)
	}
}

// Every way to send a token, and which one wins.
func TestWhereATokenTravels(t *testing.T) {
	c, auth := signedIn(t)
	b := start(t, c)
	for _, test := range []struct {
		target  string
		headers []string
		status  int
	}{
		{"/events/news.a", []string{"Authorization", bearerAlice}, 200},
		{"/events/news.a", []string{"Authorization", "bearer  " + alice}, 200},
		{"/events/news.a", []string{"Authorization", "Bearer"}, 401},
		{"/events/chat.a", []string{"Authorization", "Bearer "}, 401},
		{"/events/chat.a", []string{"Authorization", "Basic YWxpY2U6eA=="}, 200}, // a proxy's
		{"/events/news.a", []string{"Authorization", "Basic YWxpY2U6eA=="}, 403},
		{"/events/news.a?ticket=" + ticketAlice, nil, 200},
		{"/events/chat.a?ticket=" + alice, nil, 401},
		{"/events/chat.a?ticket=", nil, 401},
		{"/events/news.a", []string{"Cookie", cookieAlice}, 200},
		{"/events/news.a", []string{"Cookie", "other=" + ticketAlice}, 403},
		{"/events/chat.a", []string{"Cookie", "session=" + alice}, 401},              // no ticket, and no JWT
		{"/inbox", []string{"Cookie", "session=odd.name" + tokenSuffix}, 403},        // a token itself, of a program
		{"/inbox", []string{"Cookie", "session=odd.name" + ticketPrefix}, 401},       // none
		{"/events/news.a", []string{"Cookie", "__Host-session=" + ticketAlice}, 403}, // which is for TLS
		{"/events/chat.a", []string{"Cookie", "session=" + mallory}, 401},
		{"/events/chat.a", []string{"Cookie", "session="}, 200},
		{"/events/news.a?ticket=" + ticketAlice, []string{"Authorization", bearerBob}, 403},
		{"/events/news.a?ticket=" + ticketAlice, []string{"Cookie", "session=" + mallory}, 200},
		{"/events/news.a", []string{"Authorization", bearerAlice, "Cookie", "session=" + mallory}, 200},

		// A cookie comes with what other sites ask for as well.
		{"/events/news.a", []string{"Cookie", cookieAlice, "Sec-Fetch-Site", "same-origin"}, 200},
		{"/events/news.a", []string{"Cookie", cookieAlice, "Sec-Fetch-Site", "none"}, 200},
		{"/events/news.a", []string{"Cookie", cookieAlice, "Sec-Fetch-Site", "cross-site"}, 403},
		{"/events/news.a", []string{"Cookie", cookieAlice, "Sec-Fetch-Site", "same-site"}, 403},
		{"/events/news.a", []string{"Cookie", cookieAlice, "Sec-Fetch-Site", "same-site", "Origin", ownOrigin}, 200},
		{"/events/news.a", []string{"Cookie", cookieAlice, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.com"}, 403},
		{"/events/news.a", []string{"Cookie", cookieAlice, "Host", "localhost", "Origin", "http://localhost"}, 200},
		// Pages of this machine may read at any port, but not with a cookie that another page was given.
		{"/events/news.a", []string{"Cookie", cookieAlice, "Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000"}, 403},
		{"/events/news.a", []string{"Cookie", cookieAlice, "Origin", "http://localhost:3000"}, 403}, // as older browsers send it
		{"/events/news.a", []string{"Authorization", bearerAlice, "Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000"}, 200},
		{"/events/chat.a", []string{"Cookie", cookieAlice, "Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000"}, 200}, // as anybody

		// A token in a URL.
		{"/events/chat.a?access_token=" + lookLikeAToken, nil, 400},
		{"/events/chat.a?token=" + lookLikeAToken, nil, 400},
		{"/events/chat.a?jwt=" + lookLikeAToken, nil, 400},
		{"/events/chat.a?ticket=" + lookLikeAToken, nil, 400},
		{"/events/chat.a?ticket=" + ticketAlice + "&ticket=" + lookLikeAToken, nil, 400},
		{"/events/chat.a?id_token=" + lookLikeAToken, nil, 400},
		{"/events/chat.a?token=7", nil, 200}, // somebody else's
	} {
		if got := b.status(t, "GET", test.target, test.headers...); got != test.status {
			t.Errorf("%s %q: %d instead of %d", test.target, test.headers, got, test.status)
		}
	}
	a := b.do(t, "POST", "/events/chat.a?token="+lookLikeAToken, nil)
	if p := a.problem(t, 400, "bad-query"); !strings.Contains(p.Detail, "URLs are written to logs") || strings.Contains(a.body, lookLikeAToken[:12]) {
		t.Errorf("%+v", p)
	}
	auth.tickets = false
	if a := b.do(t, "GET", "/events/chat.a?ticket=x", nil); a.status != 401 || !strings.Contains(a.body, "does not use tickets") {
		t.Errorf("%+v", a)
	}
}

// Without Auth tokens are not looked at, for they may be a proxy's; but one in a URL is a mistake anywhere.
func TestNoAuth(t *testing.T) {
	c := config()
	c.Routes = routes(t, "/inbox=user.{claim.sub}.inbox")
	b := start(t, c)
	for target, want := range map[string]int{"/events/chat.a": 200, "/events/chat.a?ticket=x": 200, "/events/news.a": 403, "/inbox": 401, "/events/chat.a?token=" + lookLikeAToken: 400} {
		if got := b.status(t, "GET", target, "Authorization", bearerAlice, "Cookie", cookieAlice); got != want {
			t.Errorf("%s: %d", target, got)
		}
	}
	a := b.do(t, "POST", "/session", nil, "Authorization", bearerAlice)
	if p := a.problem(t, 404, "not-found"); !strings.Contains(p.Detail, "TAILWATER_AUTH_TICKET_SECRET") {
		t.Errorf("%+v", p)
	}
}

func TestChallenge(t *testing.T) {
	c, _ := signedIn(t)
	b := start(t, c)
	for _, test := range []struct {
		target  string
		headers []string
		want    string
	}{
		{"/inbox", nil, "Bearer"},
		{"/inbox", []string{"Authorization", "Bearer " + mallory}, `Bearer error="invalid_token"`},
		{"/events/chat.a?ticket=swordfish", nil, `Bearer error="invalid_token"`},
		{"/events/chat.a", []string{"Cookie", "session=swordfish"}, `Bearer error="invalid_token"`},
	} {
		a := b.do(t, "GET", test.target, nil, test.headers...)
		a.problem(t, 401, "unauthorized")
		if got := a.header.Get("WWW-Authenticate"); got != test.want {
			t.Errorf("%s %q: %s", test.target, test.headers, got)
		}
	}
	for range 50 {
		b.do(t, "POST", "/events/chat.a?ticket=swordfish", nil)
	}
	text := b.log.String()
	if n := strings.Count(text, "refused a token"); n == 0 || n > 4 {
		t.Errorf("%d lines in the log:\n%s", n, text)
	}
	if !strings.Contains(text, "the token is no good") || strings.Contains(text, "swordfish") || strings.Contains(text, "mallory") {
		t.Errorf("the log should say what was wrong, and nothing of the token:\n%s", text)
	}
}

// Temporary conditions do not end an EventSource for good.
func TestNoVerdict(t *testing.T) {
	c, auth := signedIn(t)
	b := start(t, c)
	auth.leave()
	a := b.do(t, "GET", "/events/news.a", nil, "Authorization", bearerAlice)
	if a.status != 200 || !strings.Contains(a.body, "retry: ") || !a.broken {
		t.Errorf("%+v", a)
	}
	if stats := b.api.Stats(); stats.TurnedAway != 1 {
		t.Errorf("%+v", stats)
	}
	for _, request := range [][2]string{{"POST", "/events/news.a"}, {"POST", "/session"}, {"GET", "/events/news.a?poll=1"}} {
		a := b.do(t, request[0], request[1], nil, "Authorization", bearerAlice)
		if p := a.problem(t, 503, "no-verdict"); a.header.Get("Retry-After") == "" || strings.Contains(p.Detail, "10.0.0.7") {
			t.Errorf("%s: %+v", request, a)
		}
	}
	if got := b.status(t, "GET", "/events/chat.a"); got != 200 {
		t.Errorf("without a token: %d", got)
	}
}

func TestConnectionEndsWithItsToken(t *testing.T) {
	c, auth := signedIn(t)
	b := start(t, c)
	brief := b.get(t, "/inbox", "Authorization", "Bearer brief"+tokenSuffix)
	brief.next(t, bridge.EventOpen, `{"subjects":["user.brief.inbox"],"heartbeat":3600}`)
	brief.next(t, bridge.EventClose, `{"reason":"auth"}`)

	bob, alice := b.get(t, "/inbox?ticket=bob", "Authorization", bearerBob), b.get(t, "/inbox", "Authorization", bearerAlice)
	anybody := b.get(t, "/events/chat.a")
	bob.next(t, bridge.EventOpen, `{"subjects":["user.bob.inbox"],"heartbeat":3600}`)
	alice.next(t, bridge.EventOpen, `{"subjects":["user.alice.inbox"],"heartbeat":3600}`)
	anybody.next(t, bridge.EventOpen, `{"subjects":["chat.a"],"heartbeat":3600}`)
	auth.revoke("bob")
	b.outlet.Recheck()
	bob.next(t, bridge.EventClose, `{"reason":"auth"}`)
	b.deliver("user.alice.inbox", "still here")
	b.deliver("chat.a", "still here")
	alice.next(t, "message", "still here")
	anybody.next(t, "message", "still here")
}

// decode reads the answer of POST /session.
func (a answer) session(t *testing.T) (ticket string, expires time.Time) {
	t.Helper()
	var s struct {
		Ticket  string
		Expires time.Time
	}
	if err := json.Unmarshal([]byte(a.body), &s); err != nil || a.status != 200 {
		t.Fatalf("%+v: %v", a, err)
	}
	return s.Ticket, s.Expires
}
