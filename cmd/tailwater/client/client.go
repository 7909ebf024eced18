// Package client speaks to a bridge over HTTP as a browser does, through sign-in, TLS and proxies, and comes back by itself. It imports no other
// package of Tailwater: the page about HTTP is all that it knows of a bridge.
package client

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Config says where a bridge is, and what every request to it has.
type Config struct {
	URL    *url.URL               // with a path, if a proxy serves the bridge below one
	Header http.Header            // of every request; nil for none
	Token  func() (string, error) // returns the token of the next request, "" for none; nil for none at all
	TLS    *tls.Config            // nil for the authorities of the system
	// Patience is how long to try while there is no answer. 0 means for ever.
	Patience time.Duration
	// Trouble is called when an attempt has failed, with the time until the next one. nil for none.
	Trouble func(err error, wait time.Duration)
}

// Client makes requests to one bridge.
type Client struct {
	config  Config
	http    *http.Client
	silence atomic.Int64 // the longest silence of a living event stream, as a time.Duration
}

// defaultSilence is used until a bridge says how often its heartbeats come. Every bridge of this version sends one in 15 s.
const defaultSilence = 45 * time.Second

// New returns a client. Its Close must be called.
func New(config Config) *Client {
	if config.Trouble == nil {
		config.Trouble = func(error, time.Duration) {}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() // with the proxies of the environment, as curl has
	transport.TLSClientConfig = config.TLS
	transport.ForceAttemptHTTP2 = true // also with certificates of our own
	c := &Client{config: config}
	c.silence.Store(int64(defaultSilence))
	c.http = &http.Client{
		Transport: signing{transport, config.Header, config.Token},
		// A redirect would take the token to another host, and a bridge sends none.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// At returns the URL of subjects, or of the path of a route, which begins with a slash.
func (c *Client) At(query url.Values, targets ...string) *url.URL {
	query = maps.Clone(query)
	if query == nil {
		query = url.Values{}
	}
	var at *url.URL
	switch target := targets[0]; {
	case len(targets) == 1 && strings.HasPrefix(target, "/"):
		path, more, _ := strings.Cut(target, "?")
		at = c.config.URL.JoinPath(path)
		given, _ := url.ParseQuery(more) // what cannot be parsed is left out: a query is judged by the bridge
		for name, values := range given {
			query[name] = append(values, query[name]...)
		}
	case len(targets) == 1 && !strings.Contains(target, "/"):
		at = c.config.URL.JoinPath("events")
		at.Path, at.RawPath = at.Path+"/"+target, at.EscapedPath()+"/"+url.PathEscape(target)
	default:
		at = c.config.URL.JoinPath("events")
		query["subject"] = targets
	}
	at.RawQuery = query.Encode()
	return at
}

// signing adds to each request what all have.
type signing struct {
	next   http.RoundTripper
	header http.Header
	token  func() (string, error)
}

func (t signing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, values := range t.header {
		r.Header[name] = values
		if name == "Host" {
			r.Host = values[0]
		}
	}
	if t.token != nil {
		token, err := t.token()
		if err != nil {
			return nil, err
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	}
	return t.next.RoundTrip(r)
}
