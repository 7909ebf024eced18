package e2e

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// atOnce is how many requests of a connection may be without an answer. Those that are served stay open beside them.
const atOnce = 100

// What HTTP/1 has no words for, HTTP/2 may: any byte in a name or value, and lengths that nothing else contradicts. So a share of
// the requests goes over it as well, field by field.
func TestHostileRequestsOverHTTP2(t *testing.T) {
	onlySoak(t) // TestHostileRequests sends the same over HTTP/1
	t.Parallel()
	a := newIssuer(t)
	s, _ := a.settings()
	for name, value := range callers {
		s[name] = value
	}
	b := openHostileFixture(t, s, a.client(true))
	some := slices.Clone(personal)
	for at, intrusion := range intrusions() {
		if (at+at/8)%16 == 0 {
			some = append(some, intrusion)
		}
	}
	for i, s := range b.strangers {
		f := a.dialFrames(t, b.node.Address())
		b.answers[i] = s.intrudeOverHTTP2(t, some, func(isBroken bool) *frames {
			if isBroken { // which ends its connection, and would end what the others were served
				return a.dialFrames(t, b.node.Address())
			}
			return f
		})
		b.answers[i].begun.Wait()
		if err := f.why(); err != nil {
			t.Fatalf("the connection of %s has ended: %v", s.name, err)
		}
	}
	b.check(t)
}

func (s stranger) intrudeOverHTTP2(t *testing.T, all []intrusion, connection func(isBroken bool) *frames) *answers {
	t.Helper()
	a, open := &answers{}, make(chan struct{}, atOnce)
	for _, i := range all {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			e := &exchange{intrusion: i, method: method}
			fields, body := s.disguise(i).fields(method), ""
			if method == http.MethodPost {
				body = s.body()
			}
			e.request = strings.ReplaceAll(raw(method, s.disguise(i), body), "HTTP/1.1", "HTTP/2")
			a.all = append(a.all, e)
			a.begun.Add(1)
			a.ended.Add(1)
			open <- struct{}{}
			answer := &stream{}
			hasBegun := sync.OnceFunc(func() { <-open; a.begun.Done() })
			answer.took = func() {
				if e.hear(answer.body) {
					hasBegun()
				}
			}
			answer.ended = func() {
				e.status, e.header = answer.status, answer.header
				hasBegun()
				a.ended.Done()
			}
			if err := connection(isBroken(fields)).send(answer, fields, body); err != nil {
				t.Fatalf("%s ended the connection: %v", e, err)
			}
		}
	}
	return a
}

// isBroken reports whether a field cannot be one, by RFC 9113, 8.2.1.
func isBroken(fields [][2]string) bool {
	return slices.ContainsFunc(fields, func(f [2]string) bool {
		isName := strings.HasPrefix(f[0], ":") && len(f[0]) > 1 || httpguts.ValidHeaderFieldName(f[0])
		return !isName || !httpguts.ValidHeaderFieldValue(f[1])
	})
}

// fields returns a request's pseudo-header fields, and its headers as they are, lower case excepted.
func (i intrusion) fields(method string) [][2]string {
	host := "localhost"
	var rest [][2]string
	for _, line := range strings.Split(i.lines(), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		switch name, value = strings.ToLower(name), strings.TrimPrefix(value, " "); {
		case name == "host":
			host = value
		case line != "":
			rest = append(rest, [2]string{name, value})
		}
	}
	return append([][2]string{{":method", method}, {":scheme", "https"}, {":authority", host}, {":path", i.target}}, rest...)
}
