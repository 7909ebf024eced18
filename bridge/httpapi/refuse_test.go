package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
)

// refusals are requests that can never be served: path and query as they are sent, and what a part of the detail is,
// which says what to do instead.
var refusals = []struct {
	name, target string
	status       int
	slug, detail string
	only         string // the method; "" for GET and POST
}{
	{name: "nothing", target: "/events/", status: 400, slug: "bad-subject", detail: "write one slash or dot between tokens"},
	{name: "empty segment", target: "/events/chat//room1", status: 400, slug: "bad-subject", detail: "write one slash or dot"},
	{name: "empty token", target: "/events/chat..room1", status: 400, slug: "bad-subject", detail: "write one dot or slash"},
	{name: "leading dot", target: "/events/.chat", status: 400, slug: "bad-subject", detail: "write one dot or slash"},
	{name: "trailing dot", target: "/events/chat.", status: 400, slug: "bad-subject", detail: "none at the ends"},
	{name: "trailing slash", target: "/events/chat/", status: 400, slug: "bad-subject", detail: "none at the ends"},
	{name: "two slashes first", target: "/events//chat", status: 400, slug: "bad-subject", detail: "none at the ends"},
	{name: "dots", target: "/events/..", status: 400, slug: "bad-subject", detail: "write one dot"},
	{name: "parent", target: "/events/chat/../time", status: 400, slug: "bad-subject", detail: "write one dot"},
	{name: "here", target: "/events/chat/./room1", status: 400, slug: "bad-subject", detail: "write one dot"},
	{name: "encoded parent", target: "/events/chat/%2e%2e/time", status: 400, slug: "bad-subject", detail: "write a plain dot"},
	{name: "encoded slash", target: "/events/chat%2Froom1", status: 400, slug: "bad-subject", detail: "encoded slash"},
	{name: "encoded slash beside a raw wildcard", target: "/events/chat%2F>", status: 400, slug: "bad-subject", detail: "encoded slash"},
	{name: "encoded slash beside raw UTF-8", target: "/events/chat%2Fcafé", status: 400, slug: "bad-subject", detail: "encoded slash"},
	{name: "encoded dot", target: "/events/chat%2Eroom1", status: 400, slug: "bad-subject", detail: "write a plain dot"},
	{name: "encoded dot beside a raw quote", target: "/events/chat%2Eroom\"", status: 400, slug: "bad-subject", detail: "write a plain dot"},
	{name: "encoded twice", target: "/events/chat%252Froom1", status: 403, slug: "forbidden", detail: "TAILWATER_ANONYMOUS_"},
	{name: "NUL", target: "/events/chat/a%00b", status: 400, slug: "bad-subject", detail: "U+0000"},
	{name: "line end", target: "/events/chat/a%0D%0Ab", status: 400, slug: "bad-subject", detail: "(U+000D)"},
	{name: "blank", target: "/events/chat/a%20b", status: 400, slug: "bad-subject", detail: "blank"},
	{name: "invisible", target: "/events/chat/a%E2%80%AEb", status: 400, slug: "bad-subject", detail: "not printable"},
	{name: "not UTF-8", target: "/events/chat/%FF", status: 400, slug: "bad-subject", detail: "not UTF-8"},
	{name: "wildcard in a token", target: "/events/chat/a*", status: 400, slug: "bad-subject", detail: "a wildcard is a whole token"},
	{name: "> in the middle", target: "/events/chat/%3E/a", status: 400, slug: "bad-subject", detail: "only be the last"},
	{name: "too long", target: "/events/" + strings.Repeat("chat/"+strings.Repeat("x", 100)+"/", 6) + "x", status: 400, slug: "bad-subject", detail: "at most 512"},
	{name: "too long a token", target: "/events/chat/" + strings.Repeat("x", 129), status: 400, slug: "bad-subject", detail: "at most 128"},
	{name: "too many tokens", target: "/events/chat" + strings.Repeat("/x", 16), status: 400, slug: "bad-subject", detail: "at most 16"},

	{name: "outside the grant", target: "/events/secret", status: 403, slug: "forbidden", detail: "TAILWATER_ANONYMOUS_"},
	{name: "above the grant", target: "/events/chat", status: 403, slug: "forbidden", detail: "TAILWATER_ANONYMOUS_"},
	{name: "$SYS", target: "/events/$SYS.>", status: 403, slug: "forbidden", detail: "a subject of your own", only: http.MethodGet},
	{name: "$SYS to publish", target: "/events/$SYS.REQ.SERVER.PING", status: 403, slug: "forbidden", detail: "a subject of your own"},
	{name: "$JS.API", target: "/events/$JS.API.STREAM.DELETE.S", status: 403, slug: "forbidden", detail: "a subject of your own"},
	{name: "$KV", target: "/events/%24KV/bucket/key", status: 403, slug: "forbidden", detail: "a subject of your own"},
	{name: "$KV beside a route to it", target: "/events/$KV.config.a", status: 403, slug: "forbidden", detail: "a subject of your own"},
	{name: "$KV by segments", target: "/events/$KV/config/a", status: 403, slug: "forbidden", detail: "a subject of your own"},
	{name: "$KV in the query", target: "/events?subject=$KV.config.a", status: 403, slug: "forbidden", detail: "a subject of your own"},
	{name: "all of a bucket in the query", target: "/events?subject=$KV.config.%3E", status: 403, slug: "forbidden", detail: "a subject of your own", only: http.MethodGet},
	{name: "all of a bucket", target: "/config/%3E", status: 403, slug: "forbidden", detail: "TAILWATER_ANONYMOUS_WILDCARDS", only: http.MethodGet},
	{name: "keys of a bucket", target: "/config/*", status: 403, slug: "forbidden", detail: "TAILWATER_ANONYMOUS_WILDCARDS", only: http.MethodGet},
	{name: "a key to publish to", target: "/config/a", status: 403, slug: "forbidden", detail: "can only be read here", only: http.MethodPost},
	{name: "keys to publish to", target: "/config/*", status: 400, slug: "bad-subject", detail: "name one subject", only: http.MethodPost},
	{name: "no key", target: "/config/", status: 400, slug: "bad-subject", detail: "none at the ends"},
	{name: "out of the bucket", target: "/config/../other/a", status: 400, slug: "bad-subject", detail: "write one dot"},
	{name: "another prefix by a route", target: "/system/a", status: 403, slug: "forbidden", detail: "a subject of your own"},
	{name: "any bucket by a route", target: "/any/$KV/config/a", status: 403, slug: "forbidden", detail: "a subject of your own"},
	{name: "a route that only renames", target: "/secret/a", status: 403, slug: "forbidden", detail: "TAILWATER_ANONYMOUS_"},
	{name: "_INBOX", target: "/events/_INBOX.x", status: 403, slug: "forbidden", detail: "a subject of your own"},
	{name: "everything", target: "/events/%3E", status: 403, slug: "forbidden", detail: "a subject of your own", only: http.MethodGet},
	{name: "wildcard", target: "/events/chat/*", status: 403, slug: "forbidden", detail: "TAILWATER_ANONYMOUS_WILDCARDS", only: http.MethodGet},
	{name: "a filter to publish to", target: "/events/chat/*", status: 400, slug: "bad-subject", detail: "name one subject", only: http.MethodPost},
	{name: "raw wildcard", target: "/events/chat/>", status: 403, slug: "forbidden", detail: "TAILWATER_ANONYMOUS_WILDCARDS", only: http.MethodGet},
	{name: "one of two", target: "/events?subject=chat.room1&subject=secret", status: 403, slug: "forbidden", detail: `"secret"`, only: http.MethodGet},

	{name: "no subject", target: "/events", status: 400, slug: "bad-query", detail: "/events?subject=chat.room1"},
	{name: "empty subject", target: "/events?subject=", status: 400, slug: "bad-subject", detail: "such as chat.room1"},
	{name: "too many subjects", target: "/events?x" + strings.Repeat("&subject=chat.x", 9), status: 400, slug: "bad-query", detail: "at most 8"},
	{name: "two subjects to publish to", target: "/events?subject=chat.a&subject=chat.b", status: 400, slug: "bad-query", detail: "to one subject", only: http.MethodPost},
	{name: "bad subject in the query", target: "/events?subject=chat..x", status: 400, slug: "bad-subject", detail: "write one dot"},
	{name: "slash in the query", target: "/events?subject=/chat/", status: 403, slug: "forbidden", detail: "TAILWATER_ANONYMOUS_"},
	{name: "bad escape", target: "/events?subject=chat.x&a=%zz", status: 400, slug: "bad-query", detail: "encodeURIComponent"},
	{name: "semicolon", target: "/events?subject=chat.x;format=json", status: 400, slug: "bad-query", detail: "encodeURIComponent"},
	{name: "bad escape on a path", target: "/events/chat.x?a=%", status: 400, slug: "bad-query", detail: "encodeURIComponent", only: http.MethodGet},
	{name: "unknown format", target: "/events/chat.x?format=xml", status: 400, slug: "bad-query", detail: "use raw, json or datastar", only: http.MethodGet},
	{name: "unknown event", target: "/events/chat.x?event=chat", status: 400, slug: "bad-query", detail: "use event=subject", only: http.MethodGet},
	{name: "bad id", target: "/events/chat.x?lastEventId=x", status: 400, slug: "bad-id", detail: "use the id of an event", only: http.MethodGet},
	{name: "long id", target: "/events/chat.x?lastEventId=" + strings.Repeat("x", 100), status: 400, slug: "bad-id", detail: "at most 64", only: http.MethodGet},
	{name: "negative sequence", target: "/events/chat.x?lastEventId=a--1", status: 400, slug: "bad-id", detail: "use the id of an event", only: http.MethodGet},
	{name: "bad since", target: "/events/chat.x?since=yesterday", status: 400, slug: "bad-query", detail: "use new, all, last", only: http.MethodGet},
	{name: "since ahead", target: "/events/chat.x?since=-10m", status: 400, slug: "bad-query", detail: "more than 0", only: http.MethodGet},
	{name: "since before all streams", target: "/events/chat.x?since=0001-01-01T00:00:00Z", status: 400, slug: "bad-query", detail: "out of range", only: http.MethodGet},
	{name: "limit without poll", target: "/events/chat.x?limit=5", status: 400, slug: "bad-query", detail: "poll=1", only: http.MethodGet},
	{name: "poll that is none", target: "/events/chat.x?poll=yes", status: 400, slug: "bad-query", detail: "poll=1", only: http.MethodGet},
	{name: "no limit", target: "/events/chat.x?poll=1&limit=0", status: 400, slug: "bad-query", detail: "from 1 to", only: http.MethodGet},
	{name: "limit too high", target: "/events/chat.x?poll=1&limit=10001", status: 400, slug: "bad-query", detail: "from 1 to", only: http.MethodGet},
	{name: "line end in since", target: "/events/chat.x?since=a%0D%0Aid:%201", status: 400, slug: "bad-query", detail: "use new", only: http.MethodGet},

	{name: "not an API path", target: "/nothing", status: 404, slug: "not-found", detail: "/events/<subject>"},
	{name: "root", target: "/", status: 404, slug: "not-found", detail: "/events/<subject>"},
	{name: "slashes first", target: "//events/chat.x", status: 404, slug: "not-found", detail: "/events/<subject>"},
	{name: "slashes", target: "//", status: 404, slug: "not-found", detail: "/events/<subject>"},
	{name: "parent first", target: "/../events/chat.x", status: 404, slug: "not-found", detail: "/events/<subject>"},
	{name: "capitals", target: "/Events/chat.x", status: 404, slug: "not-found", detail: "/events/<subject>"},
	{name: "encoded word", target: "/%65vents/chat.x", status: 404, slug: "not-found", detail: "/events/<subject>"},
	{name: "encoded separator", target: "/events%2Fchat.x", status: 404, slug: "not-found", detail: "/events/<subject>"},
	{name: "a star", target: "*", status: 404, slug: "not-found", detail: "/events/<subject>"},
	{name: "another scheme", target: "x:chat", status: 404, slug: "not-found", detail: "/events/<subject>"},
	{name: "absolute", target: "http://localhost/events/..", status: 400, slug: "bad-subject", detail: "write one dot"},
	{name: "absolute to another host", target: "http://evil.com/events/chat.x", status: 421, slug: "wrong-host", detail: "TAILWATER_HTTP_HOSTS"},
}

func TestRefusals(t *testing.T) {
	c := config()
	c.Routes = routes(t, "/config/{key...}=$KV.config.{key}", "/system/{x...}=$SYS.{x}", "/any/{x...}={x}", "/secret/{x}=secret.{x}")
	b := start(t, c)
	posts, gets := uint64(0), uint64(0)
	for _, test := range refusals {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if test.only != "" && test.only != method {
				continue
			}
			t.Run(method+" "+test.name, func(t *testing.T) {
				// Go's client would clean the path.
				request := method + " " + test.target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
				if method == http.MethodPost {
					request += "Content-Length: 5\r\n\r\nhello"
				} else {
					request += "\r\n"
				}
				a := b.raw(t, method, request, false)
				p := a.problem(t, test.status, test.slug)
				if !strings.Contains(p.Detail, test.detail) {
					t.Errorf("the detail %q does not say %q", p.Detail, test.detail)
				}
				if a.header.Get("Location") != "" {
					t.Errorf("Location: %s", a.header.Get("Location"))
				}
			})
			if method == http.MethodPost {
				posts++
			} else {
				gets++
			}
		}
	}
	b.quiet(t)
	if got := b.publisher.all(); len(got) != 0 {
		t.Errorf("%d were published", len(got))
	}
	stats := b.api.Stats()
	if stats.Refused != gets || stats.Publishes["refused"] != posts || stats.TurnedAway != 0 {
		t.Errorf("%+v, after %d GETs and %d POSTs", stats, gets, posts)
	}
	if hub := b.hub.Stats(); hub.Feeds != 0 {
		t.Errorf("%+v", hub)
	}
}

// The same problem has the same type, and problems with different remedies have different types.
func TestRefusalOfFormatForLines(t *testing.T) {
	b := start(t, config())
	p := b.do(t, http.MethodGet, "/events/chat.x?format=raw", nil, "Accept", "application/x-ndjson").problem(t, http.StatusBadRequest, "bad-query")
	if !strings.Contains(p.Detail, "use json") {
		t.Error(p.Detail)
	}
}

// What net/http refuses itself is no redirect either, and not logged.
func TestBrokenRequests(t *testing.T) {
	b := start(t, config())
	for _, request := range []string{
		"GET /events/chat.x\r\n\r\n",
		"GET /events/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /events/chat x HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /events/chat.x HTTP/1.1\r\n\r\n",
		"GET /events/chat.x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"POST /events/chat.x HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
		"\x16\x03\x01\x02\x00",
	} {
		if a := b.raw(t, http.MethodGet, request, true); a.status < 400 || a.status >= 500 {
			t.Errorf("%q: %+v", request, a)
		}
	}
	b.quiet(t)
}
