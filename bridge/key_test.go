package bridge_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

// In the last segment of a path to a bucket, an encoded slash is a slash in a token. Everywhere else it is refused.
func TestSlashesInKeys(t *testing.T) {
	const keys, key = "/config/{key...}=$KV.config.{key}", "/part/{a}/{key}=$KV.config.{a}.{key}"
	for _, test := range []struct{ route, path, want string }{
		{keys, "/config/a%2Fb", "$KV.config.a/b"},
		{keys, "/config/a%2fb/c.d%2F", "$KV.config.a/b.c.d/"},
		{keys, "/config/%2F", "$KV.config./"},
		{keys, "/config/a%2F.%2Fb", "$KV.config.a/./b"},
		{keys, "/config/a%252Fb", "$KV.config.a%2Fb"},
		{keys, "/config/" + strings.Repeat("x", 4000), "$KV.config." + strings.Repeat("x", 4000)},
		{keys, "/config/" + strings.Repeat("x.", 1000) + "x", "$KV.config." + strings.Repeat("x.", 1000) + "x"},
		{key, "/part/a/b%2Fc", "$KV.config.a.b/c"},
		{"/mine/{key...}=$KV.users.{claim.sub}.{key}", "/mine/a%2Fb", "$KV.users.claim.a/b"},

		{keys, "/config/..%2Fother", ""},
		{keys, "/config/a%2F..%2Fb", ""},
		{keys, "/config/a%2F%2E%2E%2Fb", ""},
		{keys, "/config/a%2F/", ""},
		{keys, "/config/a%2F*", ""},
		{keys, "/config/a%2F%3E", ""},
		{keys, "/config/a%2F%20", ""},
		{keys, "/config/" + strings.Repeat("x", 4054), ""},
		{key, "/part/a%2Fb/c", ""},
		{"/chat/{room}=chat.{room}", "/chat/a%2Fb", ""},
		{"/chat/{room...}=chat.{room}", "/chat/a%2Fb", ""},
		{"/chat/{room}=chat.{room}", "/chat/" + strings.Repeat("x", 129), ""},
		{"/inbox/{x...}=user.{claim.sub}.{x}", "/inbox/a%2Fb", ""},
		{"/any/{x...}={x}", "/any/$KV.config.a%2Fb", ""},
		{bridge.Events.String(), "/events/$KV.config.a%2Fb", ""},
	} {
		route := bridge.Events
		if test.route != route.String() {
			route = mustRoute(t, test.route)
		}
		got, fits, err := route.Resolve(test.path)
		if string(got) != test.want || !fits || (err != nil) != (test.want == "") || err != nil && !errors.Is(err, bridge.ErrSubject) {
			t.Errorf("%s: %.80s gives %.80q, %v, %v", test.route, test.path, got, fits, err)
		}
		if err != nil && len(err.Error()) > 2<<10 {
			t.Errorf("%.80s is refused in %d bytes", test.path, len(err.Error()))
		}
	}
}

// Any path stays in the bucket, and its separators are the visible ones.
func FuzzKeyPath(f *testing.F) {
	for _, test := range goodPaths {
		f.Add(test.path)
	}
	for _, path := range badPaths {
		f.Add(path)
	}
	f.Add("a%2F..%2Fb")
	f.Add("%2f%2F/.%2F")
	route := mustRoute(f, "/config/{key...}=$KV.config.{key}")
	f.Fuzz(func(t *testing.T, path string) {
		subject, fits, err := route.Resolve("/config/" + path)
		if err != nil {
			if !errors.Is(err, bridge.ErrSubject) || subject != "" {
				t.Fatalf("%q gives %q, %v", path, subject, err)
			}
			return
		}
		key, inside := strings.CutPrefix(string(subject), "$KV.config.")
		separators := strings.Count(path, "/") + strings.Count(path, ".")
		if !fits || !inside || strings.Count(key, ".") != separators || len(subject) > bridge.MaxKeyBytes || !route.Filter().Covers(subject) {
			t.Fatalf("%q gives %q", path, subject)
		}
		again, _, err := route.Resolve("/config/" + url.PathEscape(key))
		if err != nil || again != subject {
			t.Fatalf("the path of %q gives %q, %v", subject, again, err)
		}
	})
}
