package httpapi_test

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// headBytes is how much of a head a request fills: nearly all that a server of the bridge reads.
const headBytes = 15 << 10

// fill repeats a text until it fills a head.
func fill(text string) string { return strings.Repeat(text, headBytes/len(text)) }

// fillNames is fill for a text whose # is another name each time.
func fillNames(text string) string {
	var all strings.Builder
	for i := 0; all.Len() < headBytes; i++ {
		name := string([]byte{byte('a' + i/26/26%26), byte('a' + i/26%26), byte('a' + i%26)})
		all.WriteString(strings.ReplaceAll(text, "#", name))
	}
	return all.String()
}

// costlyHeads are requests whose heads hold as much work as fits into them. None of them is allowed anything.
func costlyHeads() map[string]*http.Request {
	request := func(method, target string, headers ...string) *http.Request {
		r := httptest.NewRequest(method, "http://localhost"+target, nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		return r
	}
	get := func(query string, headers ...string) *http.Request {
		return request("GET", "/events/secret"+query, headers...)
	}
	return map[string]*http.Request{
		"names of parameters": get("?" + fillNames("#&")),
		"near names":          get("?" + fillNames("subj#ct&")[:60*9]),
		"parameters":          get("?" + fill("a&")),
		"subjects":            request("GET", "/events?"+fill("subject=a&")),
		"a long subject":      request("GET", "/events?subject="+fill("a.")),
		"a long path":         request("GET", "/events/"+fill("a/")),
		"an escaped path":     request("GET", "/events/"+fill("%61")),
		"nearly a token":      get("?x=" + fill("eyJ")),
		"nearly tokens":       get("?x=" + fill("eyJaaaaaa.,")),
		"a long name":         get("?name=" + fill("%20")),
		"a long duration":     get("?since=" + fill("1h")),
		"a long id":           get("", "Last-Event-ID", fill("a-1.")),
		"media types":         get("", "Accept", fill("a/b;q=1,")),
		"broken media types":  get("", "Accept", fill("a,")),
		"a long media type":   get("", "Accept", "a/b"+fillNames(";#*0=1")),
		"a long origin":       get("", "Origin", "http://localhost:"+fill("1")),
		"many cookies":        get("", "Cookie", fill("a=b;")),
		"many proxies":        get("", "X-Forwarded-For", fill("1.1.1.1,")),
		"a page":              request("GET", "/?"+fillNames("#&")),
		"headers of a page":   request("OPTIONS", "/events/secret", "Origin", "http://localhost", "Access-Control-Request-Headers", fillNames("#,")[:2<<10]),
		"a long content type": request("POST", "/events/chat.a", "Content-Type", "a/b"+fillNames(";#=1")),
		"many preferences":    request("POST", "/events/secret", "Prefer", fill("a,")),
	}
}

// mostTimes is what a full head may cost, in requests with an empty one. Most cost less than ten.
const mostTimes = 100

// No head costs many times what another does, whatever it holds: requests that are refused have no limit of their own.
func TestHeadsCostLittle(t *testing.T) {
	c := config()
	c.Pages = withPage().Pages
	b := newFixture(t, c)
	cost := func(r *http.Request) time.Duration {
		least := time.Duration(math.MaxInt64)
		for range 10 {
			begun := time.Now()
			b.serve(r.Clone(t.Context()))
			least = min(least, time.Since(begun))
		}
		return least
	}
	usual := cost(httptest.NewRequest("GET", "http://localhost/events/secret", nil))
	for name, r := range costlyHeads() {
		if times := cost(r) / usual; times > mostTimes {
			t.Errorf("%s: the request costs %d times what another does, which takes %v", name, times, usual)
		}
	}
}
