package httpapi

import (
	"net/http"
	"regexp"
	"strings"
)

// requestHeaders names the headers that a preflight request asks for (Fetch, 3.3.3).
const requestHeaders = "Access-Control-Request-Headers"

// knownHeaders are the request headers that have a meaning here; natsHeader returns those that are passed on.
const knownHeaders = "Accept, Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Prefer, Tailwater-Event, Traceparent"

// exposedHeaders are the answer headers that a page of another origin can read.
const exposedHeaders = "Content-Location, Location, Retry-After, " + headerFirstSeq + ", " + headerLastID + ", " + headerLastSeq

// maxRequestHeaders is how many bytes a preflight may ask with.
const maxRequestHeaders = 2 << 10

// headerName is a token (RFC 9110, 5.6.2).
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// allowedHeaders returns the request headers that a page may send: the known ones, and those that it asks for. Libraries add some of their
// own, such as Cache-Control and HX-Request. These have no effect here, and an allowed page could omit them.
func allowedHeaders(r *http.Request) string {
	allowed, has := strings.Split(knownHeaders, ", "), map[string]bool{}
	for _, name := range allowed {
		has[strings.ToLower(name)] = true
	}
	asked := strings.Join(r.Header.Values(requestHeaders), ",")
	if len(asked) > maxRequestHeaders {
		return knownHeaders
	}
	for name := range strings.SplitSeq(asked, ",") {
		name = strings.TrimSpace(name)
		if lower := strings.ToLower(name); !has[lower] && headerName.MatchString(name) {
			has[lower] = true
			allowed = append(allowed, name)
		}
	}
	return strings.Join(allowed, ", ")
}

// options answers which methods there are, as the header Allow says, and a browser's preflight request if the origin is allowed.
func options(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Add("Vary", requestHeaders)
	if header.Get("Access-Control-Allow-Origin") != "" {
		header.Set("Access-Control-Allow-Methods", header.Get("Allow"))
		header.Set("Access-Control-Allow-Headers", allowedHeaders(r))
		header.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}
