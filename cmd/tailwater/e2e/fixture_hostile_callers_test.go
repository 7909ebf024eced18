package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
)

// What no stranger may see but where it belongs, and what none may get to where it does not. Each canary tells its subject, and
// each that is planted who has done it.
const canary, planted = "CANARY-4f1e9b7a", "PLANTED-8c2d5e30"

// canaries are the subjects on which canaries sing.
var canaries = []string{
	"secret.plans", "$KV.canary.key", "$SYS.CANARY.x", "$JS.API.CANARY.x", "_INBOX.canary.x",
	"chat.staff.plans", "tenant.acme.plans", "tenant.other.plans", "user.alice.inbox", "user.other.inbox", "user.other.outbox",
}

// The verses that they sing: what is stored when strangers come, and what is published while they are there.
const before, meanwhile = "before", "meanwhile"

// song is the text of a canary.
func song(subject, verse string) string { return canary + " on " + subject + " " + verse }

// sing publishes a canary on each.
func sing(t *testing.T, conn *nats.Conn, verse string) {
	t.Helper()
	for _, subject := range canaries {
		message := nats.NewMsg(subject)
		message.Data = []byte(song(subject, verse))
		message.Header.Set("Canary", song(subject, verse))
		noError(t, conn.PublishMsg(message))
	}
	noError(t, conn.Flush())
}

// stranger is a caller, with what it may do, which is all that it is to get.
type stranger struct {
	name   string
	header string // a whole line in each of the caller's requests
	query  string // a parameter in each
	hears  []string
	writes []bridge.Subject
	denied string // what it may not write all the same
	// isRefused: its token is no good, and it is told so wherever one counts.
	isRefused bool
}

// callers are the settings under which strangers call, beside which anyone may read and write chat.>.
var callers = signedIn(settings{
	"ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>", "ANONYMOUS_WILDCARDS": "true", "LIMIT_PUBLISH_RATE": "0", "DEMO_TIME": "false", "LOG_LEVEL": "info",
	"ROUTES": "/room/{name}=chat.{name},/deep/{rest...}=chat.{rest},/config/{key...}=$KV.config.{key}," +
		"/inbox=user.{claim.sub}.inbox,POST /outbox=user.{claim.sub}.outbox,/mine/{x...}=tenant.{claim.tenant}.{x}",
})

// strangers are one of each kind. Alice's token denies what anybody may, the other's is of another tenant.
func strangers(t *testing.T, n *testNode, client *http.Client) []stranger {
	alice := auth.Claims{
		Subject: "alice", Expires: time.Now().Add(time.Hour), More: map[string]string{"tenant": "acme"},
		NATS: auth.Permissions{
			Sub: auth.Filters{Allow: []string{"chat.>", "tenant.acme.>"}, Deny: []string{"chat.staff.>"}},
			Pub: auth.Filters{Allow: []string{"chat.>", "tenant.acme.>"}, Deny: []string{"chat.staff.>"}}, Wildcards: true,
		},
	}
	other := auth.Claims{
		Subject: "other", Expires: time.Now().Add(time.Hour), More: map[string]string{"tenant": "other"},
		NATS: auth.Permissions{Sub: auth.Filters{Allow: []string{"tenant.other.>"}}, Wildcards: true},
	}
	expired := alice
	expired.Expires = time.Now().Add(-time.Second)
	token, othersToken := sign(t, tokenSecret, alice), sign(t, tokenSecret, other)
	eventually(t, "tokens can be checked", n.isReady)
	ticket := n.seal(t, client, token)
	secrets.Plant(ticket)

	asAlice := stranger{
		hears:  []string{"tenant.acme.plans", "user.alice.inbox"},
		writes: []bridge.Subject{"chat.>", "tenant.acme.>", "user.alice.outbox"}, denied: "chat.staff.",
	}
	with := func(s stranger, name, header, query string) stranger {
		s.name, s.header, s.query = name, header, query
		return s
	}
	return []stranger{
		{name: "anonymous", hears: []string{"chat.staff.plans"}, writes: []bridge.Subject{"chat.>"}},
		with(asAlice, "alice", "Authorization: Bearer "+token, ""),
		with(asAlice, "alice with a ticket", "", "ticket="+ticket),
		with(asAlice, "alice with a cookie", cookies(ticket), ""),
		with(asAlice, "alice with a cookie of a program", cookies(token), ""),
		{
			name: "of another tenant", header: "Authorization: Bearer " + othersToken,
			hears:  []string{"chat.staff.plans", "tenant.other.plans", "user.other.inbox", "user.other.outbox"},
			writes: []bridge.Subject{"chat.>", "user.other.outbox"},
		},
		{name: "of another key", header: "Authorization: Bearer " + sign(t, tokenSecret+"x", alice), isRefused: true},
		{name: "expired", header: "Authorization: Bearer " + sign(t, tokenSecret, expired), isRefused: true},
		{name: "with a changed ticket", query: "ticket=" + changed(ticket), isRefused: true},
	}
}

// cookies returns the header with a cookie by the names that it has, without TLS and with it.
func cookies(value string) string {
	return "Cookie: tailwater=" + value + "; __Host-tailwater=" + value
}

// changed returns another text of the same letters.
func changed(ticket string) string {
	half := len(ticket) / 2
	letter := "A"
	if ticket[half:half+1] == letter {
		letter = "B"
	}
	return ticket[:half] + letter + ticket[half+1:]
}

func sign(t *testing.T, secret string, claims auth.Claims) string {
	t.Helper()
	token, err := auth.Sign(secret, claims)
	noError(t, err)
	secrets.Plant(token)
	return token
}

// disguise returns an intrusion as this stranger would try it: the first of two tokens counts, so its own comes first.
func (s stranger) disguise(i intrusion) intrusion {
	if s.header != "" {
		i.headers = append([]string{s.header}, i.headers...)
	}
	if s.query != "" && strings.Contains(i.target, "?") {
		i.target += "&" + s.query
	} else if s.query != "" {
		i.target += "?" + s.query
	}
	return i
}

// body is what a stranger publishes.
func (s stranger) body() string { return planted + " by " + s.name }

// mayWrite reports whether a message with that body may be on a subject.
func mayWrite(all []stranger, body, subject string) bool {
	for _, s := range all {
		if body == s.body() {
			return slices.ContainsFunc(s.writes, func(filter bridge.Subject) bool { return filter.Matches(subject) }) &&
				(s.denied == "" || !strings.HasPrefix(subject, s.denied))
		}
	}
	return subject == "chat.room1" // cut by a header that says how long it is
}
