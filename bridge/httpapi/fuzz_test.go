package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// serve returns the answer to a request that never was on a network.
func (b *fixture) serve(r *http.Request) *httptest.ResponseRecorder {
	r.Host = "localhost"
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, r)
	return w
}

// isProblem reports whether an answer is a whole problem of its status.
func isProblem(w *httptest.ResponseRecorder) bool {
	var p problem
	return json.Unmarshal(w.Body.Bytes(), &p) == nil && p.Status == w.Code && p.Detail != "" && w.Header().Get("Content-Type") == "application/problem+json"
}

// Any query is answered, within the caller's permissions, or by a problem with the reason.
func FuzzQuery(f *testing.F) {
	for _, query := range []string{
		"subject=chat.a", "subject=chat.a&subject=time.b&format=json", "subject=news.a&ticket=" + ticketAlice, "subject=chat.%3E&ticket=" + ticketAlice, "subject=$SYS.%3E", "subject=chat.a;subject=secret", "subject=%zz", "subject=chat.a&subject=secret",
		"subject=chat.a&since=10m", "subject=chat.a&lastEventId=test-1-1", "subject=chat.a&poll=1&limit=5", "subject=chat.a&event=subject", "subject=chat.a&access_token=" + lookLikeAToken, "subject[]=secret", "Subject=secret", "subject=secret%00&subject=chat.a", "&&&", "subject",
	} {
		f.Add(query)
	}
	c, _ := signedIn(f)
	b := newFixture(f, c)
	f.Fuzz(func(t *testing.T, query string) {
		b.store.asked = nil
		r := httptest.NewRequest(http.MethodHead, "/events", nil)
		r.URL.RawQuery = query
		w := b.serve(r)
		asked := b.store.asked
		if w.Code != http.StatusOK {
			if len(asked) > 0 || !isProblem(w) || w.Code != 400 && w.Code != 401 && w.Code != 403 {
				t.Errorf("%q is answered %d %s, and asks for %v", query, w.Code, w.Body, asked)
			}
			return
		}
		values, err := url.ParseQuery(query)
		for name, all := range values {
			if name == lookLikeAToken || slices.Contains(all, lookLikeAToken) {
				t.Errorf("%q holds a token, and is answered", query)
			}
		}
		for i, subject := range asked {
			mayAnybody := strings.HasPrefix(string(subject), "chat.") || strings.HasPrefix(string(subject), "time.")
			mayAlice := strings.HasPrefix(string(subject), "news.") && subject != "news.secret" && values.Get("ticket") == ticketAlice
			if !mayAnybody && !mayAlice || subject.Wild() && !mayAlice || values["subject"][i] != string(subject) {
				t.Errorf("%q opens %q", query, subject)
			}
		}
		if err != nil || len(asked) == 0 || len(asked) != len(values["subject"]) {
			t.Errorf("%q asks for %v: %v", query, asked, err)
		}
	})
}

// Any POST is published unchanged, with nothing added that is not checked, or not at all.
func FuzzPost(f *testing.F) {
	f.Add("text/plain", "", "", []byte("hello"))
	f.Add("application/json; charset=utf-8", "news", "k-1", []byte(`{"a":1}`))
	f.Add("TEXT/plain", "tailwater:close", "a b", []byte("a\x00b"))
	f.Add("application/octet-stream", "open", "", []byte("\xff\xfe"))
	f.Add("text/plain; x=\r\n", "a\r\nb", "\x00", []byte("caf\xe9"))
	f.Add("", "a\u2028b", strings.Repeat("k", 300), bytes.Repeat([]byte("x"), bodyLimit+1))
	b := newFixture(f, config())
	f.Fuzz(func(t *testing.T, kind, event, key string, body []byte) {
		b.publisher.got = nil
		r := httptest.NewRequest(http.MethodPost, "/events/chat.a", bytes.NewReader(body))
		// As net/http would never have them, but another server might.
		r.Header = http.Header{"Content-Type": {kind}, "Tailwater-Event": {event}, "Idempotency-Key": {key}, "Nats-Rollup": {"all"}, "Nats-Msg-Id": {"forged"}}
		w := b.serve(r)
		got := b.publisher.all()
		if w.Code != http.StatusAccepted {
			if len(got) > 0 || !isProblem(w) || w.Code != 400 && w.Code != 413 {
				t.Errorf("%d %s, and %d were published", w.Code, w.Body, len(got))
			}
			return
		}
		if len(got) != 1 || got[0].subject != "chat.a" || !bytes.Equal(got[0].data, body) || len(body) > bodyLimit {
			t.Fatalf("published: %+v", got)
		}
		for name, values := range got[0].header {
			isKnown := name == "Tailwater-Event" || name == "Nats-Msg-Id" && key != "" && values[0] != "forged"
			if !isKnown || len(values) != 1 || strings.ContainsAny(values[0], "\r\n\x00") || strings.HasPrefix(values[0], "tailwater:") && name == "Tailwater-Event" {
				t.Errorf("the header %s: %q", name, values)
			}
		}
	})
}
