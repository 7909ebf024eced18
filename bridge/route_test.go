package bridge_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

func mustRoute(t testing.TB, text string) bridge.Route {
	t.Helper()
	route, err := bridge.ParseRoute(text)
	if err != nil {
		t.Fatal(err)
	}
	return route
}

var goodRoutes = []struct {
	route  string
	filter bridge.Subject
}{
	{"/news=news.all", "news.all"},
	{"/chat/{room}=chat.{room}", "chat.*"},
	{"/chat/{room}/of/{user}=chat.{user}.{room}", "chat.*.*"},
	{"/tree/{path...}=tree.{path}", "tree.>"},
	{"/tree/{a}/{path...}=tree.{a}.{path}", "tree.*.>"},
	{"/all/{path...}={path}", ">"},
	{"/any/{a}={a}", "*"},
	{"/metrics=metrics.>", "metrics.>"},
	{"/v1.2/a_b~c-d=x", "x"},
	{"/a/{x_1}=größe.{x_1}", "größe.*"},
	{"/a/{x}={x}.=", "*.="},
	{"/config/{key...}=$KV.config.{key}", "$KV.config.>"},
	{"ASK /ask/{model}=llm.{model}", "llm.*"},
	{"ASK /ask=llm.{claim.tenant}", "llm.*"},
	{"ASK /ask/{model}=llm.{model} silence=5m", "llm.*"},
	{"ASK /ask/{model}=llm.{model} queries  silence=100ms", "llm.*"},
	{"ASK /agents=$SRV.INFO.agents silence=1s", "$SRV.INFO.agents"},
	{"/sys/{x}=$SYS.{x}", "$SYS.*"}, // a route, although no grant opens it
}

var badRoutes = []struct{ route, says string }{
	{"", "has no ="},
	{"/chat/{room}", "write it as /chat/{room}=chat.{room}"},
	{"chat=chat", "begin with a slash"},
	{"=chat", "begin with a slash"},
	{"/=chat", "plain word"},
	{"//a=chat", "plain word"},
	{"/a/=chat", "plain word"},
	{"/a//b=chat", "plain word"},
	{"/a/..=chat", "plain word"},
	{"/.well-known=chat", "plain word"},
	{"/a%2Fb=chat", "plain word"},
	{"/größe=x", "plain word"},
	{"/a/{Room}=chat.{Room}", "plain word"},
	{"/a/{}=chat", "plain word"},
	{"/a/x{room}=chat.{room}", "plain word"},
	{"/a/{room}x=chat.{room}", "plain word"},
	{"/{room}=chat.{room}", "first segment of the path must be a word"},
	{"/{path...}={path}", "first segment of the path must be a word"},
	{"/a/{b}/{b}=x.{b}", "the path has {b} twice"},
	{"/a/{b...}/c=x.{b}", "nothing may follow"},
	{"/a/{b...}/{c}=x.{c}.{b}", "nothing may follow"},
	{"/a/{b}=x", "does not use {b}"},
	{"/a/{b}=x.{c}", "{c}, which the path does not have"},
	{"/a/{b}=x.{b}.{b}", "the subject has {b} twice"},
	{"/a/{b}=x.b{b}", "must be a whole token"},
	{"/a/{b}=x.{b}b", "must be a whole token"},
	{"/a/{b}=x.{b", "must be a whole token"},
	{"/a/{b}=x.b}", "must be a whole token"},
	{"/a/{b...}={b}.x", "must be the last token"},
	{"/a=", "it is empty"},
	{"/a=.x", "token 1"},
	{"/a=x..y", "token 2"},
	{"/a/{b}={b}.", "token 2"},
	{"/a=x y", "blank"},
	{"/a=x\n", "blank"},
	{"/a=>.x", "may only be the last"},
	{"/a=x*", "mixes the wildcard"},
	{"/a=\xff", "not UTF-8"},
	{"/a/{b}=" + tokens(16) + ".{b}", "17 tokens"},
	{"/events=x", "Tailwater's own"},
	{"/events/{a}=x.{a}", "Tailwater's own"},
	{"/presence/a=x", "Tailwater's own"},
	{"/session=x", "Tailwater's own"},
	{"/inspect=x", "Tailwater's own"},
	{"/clock=x", "Tailwater's own"},
	{"/examples=x", "Tailwater's own"},
	{"/web/x=x", "Tailwater's own"},
	{"/client.js=x", "Tailwater's own"},
	{"/kv/{bucket}/{key...}=$KV.{bucket}.{key}", "must name one bucket"},
	{"/kv/{key...}=$KV.{key}", "must name one bucket"},
	{"/kv=$KV.*.a", "must name one bucket"},
	{"/kv=$KV.>", "must name one bucket"},
	{"/kv=$KV.config", "and then its keys"},
	{"POST /out=user.{claim.sub}.>", "remove * and >"},
	{"ASK /ask=llm.*", "remove * and >"},
	{"ASK /ask/{k}=$KV.config.{k}", "nobody answers in the key-value store"},
	{"POST ASK /ask=llm.{claim.sub}", "use ASK alone"},
	{"ASK /ask=llm silence=0s", "write a duration"},
	{"ASK /ask=llm silence", "write a duration"},
	{"ASK /ask=llm silence=25h", "write a duration up to 24h"},
	{"ASK /ask=llm queries=yes", "no option"},
	{"ASK /ask=llm x.y", "no option"},
	{"/a=x silence=5s", "blank"},
	{"POST /out=user.{claim.sub} queries", "must be a whole token"},
	{"ASK POST /ask=llm.{claim.sub}", "begin with a slash"},
	{"/answers/{x}=answers.{x}", "Tailwater's own"},
	{"/kv=$KV", "as in /config/{key...}=$KV.config.{key}"},
	{"/a=x.{claim.}", "the name of a claim"},
	{"/a=x.{claim.a.b}", "the name of a claim"},
	{"/a=x.{claim.1}", "the name of a claim"},
	{"/a=x.{claim.sub}y", "must be a whole token"},
	{"/a=x.{claim}", "{claim}, which the path does not have"},
	{"/a/{claim.sub}=x", "plain word"},
	{"POST /a=x", "POST is for routes with a claim"},
	{"POST /a/{b}=x.{b}", "POST is for routes with a claim"},
	{"POST /a/{b}=$KV.config.{b}", "POST is for routes with a claim"},
	{"GET /a=x.{claim.sub}", "begin with a slash"},
	{"POST/a=x.{claim.sub}", "begin with a slash"},
	{"/a=$KV.{claim.sub}.x", "must name one bucket"},
}

func TestParseRoute(t *testing.T) {
	for _, good := range goodRoutes {
		route, err := bridge.ParseRoute(good.route)
		if err != nil || route.Filter() != good.filter || route.String() != good.route {
			t.Errorf("ParseRoute(%q) = %v with the filter %q, %v; want the filter %q", good.route, route, route.Filter(), err, good.filter)
		}
	}
	for _, bad := range badRoutes {
		_, err := bridge.ParseRoute(bad.route)
		if !errors.Is(err, bridge.ErrRoute) || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("ParseRoute(%q): the error should say %q: %v", bad.route, bad.says, err)
		}
	}
	if bridge.Events.Filter() != ">" {
		t.Errorf("the filter of /events/ is %q", bridge.Events.Filter())
	}
}

func TestGrants(t *testing.T) {
	for text, want := range map[string]bool{
		"/config/{key...}=$KV.config.{key}":  true,
		"/config/{key}=$KV.config.{key}":     true,
		"/config=$KV.config.a":               true,
		"/config=$KV.config.>":               true,
		"/user/{id}/{key}=$KV.u.{id}.{key}":  true,
		"/config/{key...}=$KVS.config.{key}": false,
		"/config/{key...}=$kv.config.{key}":  false,
		"/config/{a}/{key...}={a}.c.{key}":   false,
		"/files/{key...}=$O.files.{key}":     false,
		"/js/{x...}=$JS.API.{x}":             false,
		"/sys/{x...}=$SYS.REQ.{x}":           false,
		"/in/{x...}=_INBOX.a.{x}":            false,
		"/kv/{x...}=a.$KV.config.{x}":        false,
		"/chat/{room}=chat.{room}":           false,
		"ASK /ask=llm.{claim.tenant}":        false,
	} {
		if got := mustRoute(t, text).Grants(); got != want {
			t.Errorf("%s grants: %t", text, got)
		}
	}
	if bridge.Events.Grants() || (bridge.Route{}).Grants() {
		t.Error("/events/ grants, or no route at all")
	}
}

// Only the exact subjects on which agents say who they are.
func TestDiscovers(t *testing.T) {
	for text, want := range map[string]bool{
		"ASK /agents=$SRV.INFO.agents":            true,
		"ASK /agents=$SRV.PING.agents silence=1s": true,
		"/agents=$SRV.INFO.agents":                false,
		"ASK /agents=$SRV.STATS.agents":           false,
		"ASK /agents=$SRV.INFO.others":            false,
		"ASK /agents=$SRV.INFO":                   false,
		"ASK /agents=$SRV.PING":                   false,
		"ASK /agents/{name}=$SRV.INFO.{name}":     false,
		"ASK /agents/{verb}=$SRV.{verb}.agents":   false,
		"ASK /agents/{id}=$SRV.INFO.agents.{id}":  false,
		"ASK /agents=$SRV.INFO.{claim.service}":   false,
		"ASK /agents/{x...}={x}":                  false,
		"ASK /agents=$srv.INFO.agents":            false,
		"ASK /a/{agent...}=agents.prompt.{agent}": false,
	} {
		if got := mustRoute(t, text).Discovers(); got != want {
			t.Errorf("%s discovers: %t", text, got)
		}
	}
}

func TestSortRoutes(t *testing.T) {
	routes := []bridge.Route{bridge.Events}
	for _, text := range []string{
		"/a/{p...}=rest.{p}", "/a/{x}=one.{x}", "/a/b=word", "/a/{x}/c=oneword.{x}", "/a/b/{p...}=wordrest.{p}", "/a/{x}/{p...}=onerest.{x}.{p}",
	} {
		routes = append(routes, mustRoute(t, text))
	}
	for range 2 {
		slices.Reverse(routes)
		bridge.SortRoutes(routes)
		for path, want := range map[string]bridge.Subject{
			"/a/b": "word", "/a/x": "one.x", "/a/b/c": "wordrest.c", "/a/x/c": "oneword.x", "/a/x/d": "onerest.x.d", "/a/x/c/d": "onerest.x.c.d", "/events/e": "e",
		} {
			if got := first(t, routes, path); got != want {
				t.Errorf("%q goes to %q, want %q", path, got, want)
			}
		}
	}
}

// first returns the subject of the first route that fits.
func first(t *testing.T, routes []bridge.Route, path string) bridge.Subject {
	t.Helper()
	for _, route := range routes {
		if subject, fits, err := route.Resolve(path); fits {
			if err != nil {
				t.Fatal(err)
			}
			return subject
		}
	}
	return ""
}

func TestCheckRoutes(t *testing.T) {
	for _, test := range []struct {
		routes   []string
		problems []string
	}{
		{nil, nil},
		{[]string{"/a/{x}=a.{x}", "/a/b=b", "/a/{x...}=c.{x}", "/b/{x}=a.{x}"}, nil},
		{[]string{"/a=x", "/a=y"}, []string{`"/a=x" and "/a=y"`}},
		{[]string{"/a/{x}=a.{x}", "/b=b", "/a/{y}=b.{y}"}, []string{`"/a/{x}=a.{x}" and "/a/{y}=b.{y}"`}},
		{[]string{"/a/{x...}=a.{x}", "/a/{y...}=b.{y}", "/b=x", "/b=x"}, []string{`"/a/{x...}=a.{x}" and`, `"/b=x" and "/b=x"`}},
	} {
		var routes []bridge.Route
		for _, text := range test.routes {
			routes = append(routes, mustRoute(t, text))
		}
		err := bridge.CheckRoutes(routes)
		if (err != nil) != (test.problems != nil) || err != nil && !errors.Is(err, bridge.ErrRoute) {
			t.Errorf("%q: %v", test.routes, err)
		}
		for _, problem := range test.problems {
			if err != nil && !strings.Contains(err.Error(), problem) {
				t.Errorf("%q: the error does not name %s: %v", test.routes, problem, err)
			}
		}
	}
}
