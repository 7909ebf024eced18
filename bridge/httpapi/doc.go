// Package httpapi answers requests: it checks them in one fixed order, turns GET into a connection and POST into a
// message, and maps every error to one problem (RFC 9457).
//
// An API is an http.Handler. A Go program can mount it in its own mux, below http.StripPrefix if its paths do not begin at the root. It never
// redirects: a redirected EventSource could take its position to another origin.
//
// The order of checks: host and origin, route (404, 405), grammar (400), the caller's identity (401), the caller's permissions (403), the
// headers of a POST (400), its rate (429), its body, and for what holds a connection the number of them, so that a client that is asked to
// come back could then be served; a question is counted before its body is read. On GET, only lasting conditions are answered with a status
// other than 200, because to EventSource any other status is final.
package httpapi
