package bridge_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

func caller(claims ...string) bridge.Caller {
	c := bridge.Caller{Name: "alice", Claims: map[string]string{}}
	for i := 0; i < len(claims); i += 2 {
		c.Claims[claims[i]] = claims[i+1]
	}
	return c
}

func TestClaimRoutes(t *testing.T) {
	for _, test := range []struct {
		route, path string
		caller      bridge.Caller
		want        bridge.Subject
	}{
		{"/inbox=user.{claim.sub}.inbox", "/inbox", caller("sub", "alice"), "user.alice.inbox"},
		{"POST /outbox=user.{claim.sub}.outbox", "/outbox", caller("sub", "alice"), "user.alice.outbox"},
		{"/in/{box}={claim.org}.{claim.sub}.{box}", "/in/x", caller("sub", "a", "org", "größe"), "größe.a.x"},
		{"/in/{box...}=u.{claim.sub}.{box}", "/in/x/y.z", caller("sub", "a"), "u.a.x.y.z"},
		{"/in/{box}=u.{box}.{claim.sub}", "/in/claim", caller("sub", "a"), "u.claim.a"},
		{"/in/{box}=u.{claim.sub}.{box}", "/in/*", caller("sub", "a"), "u.a.*"},
		{"/in=u.{claim.sub}.{claim.sub}", "/in", caller("sub", "a"), "u.a.a"},
		{"/in=u.{claim.sub}.>", "/in", caller("sub", "a"), "u.a.>"},
		{"/in=$KV.users.{claim.sub}", "/in", caller("sub", "a"), "$KV.users.a"},
		{"/in=u.{claim.sub}", "/in", caller("sub", "$SYS"), "u.$SYS"},
		{"/in=u.{claim.https_team-1}", "/in", caller("https_team-1", "blue"), "u.blue"},
	} {
		route := mustRoute(t, test.route)
		resolved, fits, err := route.Resolve(test.path)
		if !fits || err != nil {
			t.Fatalf("%s: %t, %v", test.route, fits, err)
		}
		subject, err := route.Claim(resolved, test.caller)
		if err != nil || subject != test.want || !route.NeedsClaims() || !route.Grants() || route.GrantsPublish() != strings.HasPrefix(test.route, "POST ") {
			t.Errorf("%s: %q, %v", test.route, subject, err)
		}
		if _, err := route.Claim(resolved, bridge.Caller{}); !errors.Is(err, bridge.ErrToken) {
			t.Errorf("%s for anybody: %v", test.route, err)
		}
		if !route.Filter().Covers(subject) && !route.Filter().Overlaps(subject) {
			t.Errorf("%s: the filter %s does not cover %s", test.route, route.Filter(), subject)
		}
	}
}

func TestClaimsThatMakeNoSubject(t *testing.T) {
	route := mustRoute(t, "/inbox=user.{claim.sub}.inbox")
	for value, says := range map[string]string{
		"": "is empty", "a.b": "holds a dot", ".": "holds a dot", "*": "is a wildcard", ">": "is a wildcard", "a*": "mixes the wildcard",
		"a b": "holds a blank", "a\n": "holds a blank", "a\x00": "not printable", "\xff": "not UTF-8", strings.Repeat("x", 129): "has 129 bytes",
		"alice@example.com": "holds a dot",
	} {
		subject, err := route.Claim("user.claim.inbox", caller("sub", value))
		if !errors.Is(err, bridge.ErrForbidden) || subject != "" || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), `claim "sub"`) {
			t.Errorf("%q: %q, %v", value, subject, err)
		}
	}
	if _, err := route.Claim("user.claim.inbox", caller("name", "x")); !errors.Is(err, bridge.ErrForbidden) || !strings.Contains(err.Error(), `no claim "sub"`) {
		t.Error(err)
	}
	// As the first token, a claim could name a subject of NATS itself.
	first := mustRoute(t, "/x/{a}={claim.sub}.{a}")
	for _, value := range []string{"$SYS", "$JS", "_INBOX", "$KV"} {
		if _, err := first.Claim("claim.a", caller("sub", value)); !errors.Is(err, bridge.ErrForbidden) {
			t.Errorf("%q: %v", value, err)
		}
	}
	long := mustRoute(t, "/x={claim.a}.{claim.b}.{claim.c}.{claim.d}.x")
	x := strings.Repeat("x", 128)
	if _, err := long.Claim("claim.claim.claim.claim.x", caller("a", x, "b", x, "c", x, "d", x)); !errors.Is(err, bridge.ErrForbidden) || !strings.Contains(err.Error(), "too long") {
		t.Error(err)
	}
}

func TestRouteWithoutClaims(t *testing.T) {
	plain := mustRoute(t, "/chat/{room}=chat.{room}")
	if plain.NeedsClaims() || plain.GrantsPublish() {
		t.Error("a route without claims needs some")
	}
	if subject, err := plain.Claim("chat.a", bridge.Caller{}); subject != "chat.a" || err != nil {
		t.Error(subject, err)
	}
}

var claimNames = regexp.MustCompile(`\{claim\.([^{}]*)\}`)

// In any route, each claim is one token at its place in the template, the rest of the template is unchanged, and no subject of NATS itself is
// reached, except a bucket that the template names.
func FuzzClaimRoute(f *testing.F) {
	for _, route := range []string{
		"/inbox=user.{claim.sub}.inbox", "POST /outbox/{x}=user.{claim.sub}.{x}", "/in/{x...}={claim.a}.{claim.b}.{x}", "/k=$KV.users.{claim.sub}", "/k/{x...}=$KV.{claim.sub}.{x}", "/a=x.{claim.sub}.>", "/s=$SYS.{claim.sub}",
	} {
		for _, value := range []string{"alice", "$SYS", "*", ">", "a.b", "", "{claim.sub}", "claim", "a\r\nb", "é\u200d"} {
			f.Add(route, "/in/a/b", value)
			f.Add(route, "/outbox/>", value)
		}
	}
	f.Fuzz(func(t *testing.T, text, path, value string) {
		route, err := bridge.ParseRoute(text)
		if err != nil || !route.NeedsClaims() {
			return
		}
		all := caller()
		for _, name := range claimNames.FindAllStringSubmatch(text, -1) {
			all.Claims[name[1]] = value
		}
		resolved, fits, err := route.Resolve(path)
		if !fits || err != nil {
			return
		}
		subject, err := route.Claim(resolved, all)
		if err != nil {
			if !errors.Is(err, bridge.ErrForbidden) || subject != "" {
				t.Fatalf("%s gives %q, %v", text, subject, err)
			}
			return
		}
		_, template, _ := strings.Cut(text, "=")
		checkTemplate(t, template, string(resolved), string(subject), value)
		if subject.Reserved() && !route.NamesBucket() || !obeysGrammar(string(subject)) || !route.Filter().Covers(subject) {
			t.Errorf("%s and %s make %q of %q", text, path, subject, value)
		}
	})
}

// checkTemplate compares a subject with its template, and with what the path alone makes of that, token by token. Only the last of them can be
// several.
func checkTemplate(t *testing.T, template, resolved, subject, value string) {
	t.Helper()
	template = claimNames.ReplaceAllString(template, "{claim}") // which takes the dots out of the names
	want := strings.Split(template, ".")
	had, got := strings.SplitN(resolved, ".", len(want)), strings.SplitN(subject, ".", len(want))
	for i, token := range want {
		switch {
		case i >= len(got) || len(got) != len(had):
			t.Errorf("%s becomes %q", template, subject)
		case token == "{claim}" && got[i] != value, token != "{claim}" && got[i] != had[i], !strings.HasPrefix(token, "{") && got[i] != token:
			t.Errorf("%s becomes %q with %q", template, subject, value)
		}
	}
}
