package bridge_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

func TestResolve(t *testing.T) {
	const (
		chat   = "/chat/{room}=chat.{room}"
		swap   = "/chat/{room}/of/{user}=u.{user}.{room}"
		tree   = "/tree/{path...}=tree.{path}"
		fixed  = "/news/all=news.all"
		bucket = "/config/{key...}=$KV.config.{key}"
		other  = "no fit"
		wrong  = "ErrSubject"
	)
	for _, test := range []struct{ route, path, want string }{
		{chat, "/chat/room1", "chat.room1"},
		{chat, "/chat/r%C3%BCm", "chat.rüm"},
		{chat, "/chat/50%25", "chat.50%"},
		{chat, "/chat/*", "chat.*"},
		{chat, "/chat", other},
		{chat, "/chat/a/b", other},
		{chat, "/chat/a/", other},
		{chat, "chat/a", other},
		{chat, "//chat/a", other},
		{chat, "/ch%61t/a", other},
		{chat, "/Chat/a", other},
		{chat, "", other},
		{chat, "/chat/", wrong},
		{chat, "/chat/a.b", wrong},
		{chat, "/chat/.", wrong},
		{chat, "/chat/..", wrong},
		{chat, "/chat/a%2Eb", wrong},
		{chat, "/chat/a%2fb", wrong},
		{chat, "/chat/a%20b", wrong},
		{chat, "/chat/a%0Ab", wrong},
		{chat, "/chat/%ff", wrong},
		{chat, "/chat/%zz", wrong},
		{chat, "/chat/a*", wrong},
		{chat, "/chat/%3E", wrong}, // one token, not all that may follow
		{chat, "/chat/>", wrong},
		{chat, "/chat/" + strings.Repeat("a", 129), wrong},
		{swap, "/chat/r/of/u", "u.u.r"},
		{swap, "/chat/r/x/u", other},
		{swap, "/chat/of/of/of", "u.of.of"},
		{swap, "/chat//of/u", wrong},
		{swap, "/chat/>/of/u", wrong},
		{tree, "/tree/a", "tree.a"},
		{tree, "/tree/a/b.c/d", "tree.a.b.c.d"},
		{tree, "/tree/a/%3E", "tree.a.>"},
		{tree, "/tree/>", "tree.>"},
		{tree, "/tree", other},
		{tree, "/tree/", wrong},
		{tree, "/tree/a/", wrong},
		{tree, "/tree/a//b", wrong},
		{tree, "/tree/>/a", wrong},
		{tree, "/tree/" + tokens(16), wrong},
		{fixed, "/news/all", "news.all"},
		{fixed, "/news", other},
		{fixed, "/news/all/", other},
		{"/metrics=metrics.>", "/metrics", "metrics.>"},
		{bucket, "/config/a/b.c", "$KV.config.a.b.c"},
		{bucket, "/config/%3E", "$KV.config.>"},
		{bucket, "/config/../other/a", wrong},
		{bucket, "/config/%2E%2E/other", wrong},
		{bucket, "/config", other},
	} {
		subject, fits, err := mustRoute(t, test.route).Resolve(test.path)
		got := string(subject)
		switch {
		case !fits && err == nil && subject == "":
			got = other
		case errors.Is(err, bridge.ErrSubject) && fits && subject == "":
			got = wrong
		case err != nil || !fits:
			t.Errorf("%q resolves %q to %q, %v, %v", test.route, test.path, subject, fits, err)
		}
		if got != test.want {
			t.Errorf("%q resolves %q to %s, want %s (%v)", test.route, test.path, got, test.want, err)
		}
	}
}

// Every subject that a route resolves to is within the route's filter, so a grant of the filter covers it.
func FuzzRoute(f *testing.F) {
	paths := []string{"/chat/room1", "/a/b", "/a/%3E", "/a/*", "/a/b/of/c", "/tree/a/b/c", "/a/a.b", "/a/%2E", "//", ""}
	for i, good := range goodRoutes {
		f.Add(good.route, paths[i%len(paths)])
	}
	for i, bad := range badRoutes {
		f.Add(bad.route, paths[i%len(paths)])
	}
	f.Add("/a/{x}=y.{x}", "/a/>")
	f.Add("/a/{x...}=y.{x}", "/a/b/>")
	f.Fuzz(func(t *testing.T, text, path string) {
		route, err := bridge.ParseRoute(text)
		if err != nil {
			if !errors.Is(err, bridge.ErrRoute) {
				t.Fatalf("ParseRoute(%q): %v", text, err)
			}
			return
		}
		filter := route.Filter()
		if !obeysGrammar(string(filter)) || route.String() != text {
			t.Fatalf("ParseRoute(%q) = %v with the filter %q", text, route, filter)
		}
		subject, fits, err := route.Resolve(path)
		switch {
		case err != nil:
			if !fits || subject != "" || !errors.Is(err, bridge.ErrSubject) {
				t.Fatalf("%q resolves %q to %q, %v, %v", text, path, subject, fits, err)
			}
		case !fits:
			if subject != "" {
				t.Fatalf("%q does not fit %q, but gives %q", text, path, subject)
			}
		case !obeysGrammar(string(subject)) || !filter.Covers(subject):
			t.Fatalf("%q resolves %q to %q, which its filter %q does not cover", text, path, subject, filter)
		}
	})
}
