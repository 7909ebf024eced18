// Package httpapi answers requests: it checks them in one fixed order, turns GET into a connection and POST into a
// message, and maps every error to one problem (RFC 9457).
//
// An API is an http.Handler. A Go program can mount it in a mux of its own, below http.StripPrefix where its paths shall
// not begin at the root. It never redirects: an EventSource that is redirected may take its position to another origin.
//
// The order of checks: host and origin, route (404, 405), grammar (400), who the caller is (401), what it may (403), what the
// request carries, how fast the caller posts (429), and last how many connections there are: whoever is asked to come back
// could be served then. Only conditions
// that last are answered with a status other than 200 on GET, because to EventSource any other status is final.
package httpapi
