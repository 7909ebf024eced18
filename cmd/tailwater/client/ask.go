package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Failure means that whoever answers a question has failed, or has sent nothing for too long.
type Failure struct{ Code, Description string }

func (f *Failure) Error() string {
	return strings.TrimSpace("the answer has failed: " + f.Description + " " + f.code())
}

func (f *Failure) code() string {
	if f.Code == "" {
		return ""
	}
	return "(" + f.Code + ")"
}

// Ask posts a question, and passes each event of its answer to take. Until the bridge answers, the question is repeated with its key. After a
// cut, the rest of the answer is read where the bridge keeps it. Ask returns nil at the end of the answer. The error is one of Read's or a
// Failure. If ctx ends first, whoever answers is asked to stop.
func (c *Client) Ask(ctx context.Context, to *url.URL, m Message, take func(Event) error) error {
	request, err := http.NewRequest(http.MethodPost, to.String(), bytes.NewReader(m.Body))
	if err != nil {
		return err
	}
	m.describe(request.Header)
	asked := &asking{watching: watching{c}, query: to.RawQuery}
	over := *c.http
	over.Transport = asked
	err = c.follow(ctx, &over, request, func(event Event) error {
		switch event.Type {
		case "tailwater:end":
			return ErrComplete
		case "tailwater:error":
			failure := new(Failure)
			_ = json.Unmarshal([]byte(event.Data), failure) // without details it is a failure, too
			return failure
		}
		return take(event)
	})
	var refusal *Refusal
	if errors.As(err, &refusal) && (refusal.Status == http.StatusCreated || refusal.Status == http.StatusAccepted) {
		refusal.Detail = "this path does not ask: the question was published there; name the path of a route that asks"
	}
	switch run := asked.run.Load(); {
	case errors.Is(err, ErrComplete):
		return nil
	case ctx.Err() != nil && run != nil:
		return errors.Join(err, c.stop(context.WithoutCancel(ctx), run))
	}
	return err
}

// stopTimeout is how long the request may take that stops an answer.
const stopTimeout = 5 * time.Second

// stop asks whoever answers to stop.
func (c *Client) stop(ctx context.Context, run *url.URL) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, run.String(), nil)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("stop the answer: %w", withoutURL(err))
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("stop the answer: %w", refusalOf(response))
	}
	return response.Body.Close()
}

// asking posts a question until the bridge says where its answer is kept, and from then on reads it there. If the question was posted again, it
// would be asked again by a bridge that keeps no answers.
type asking struct {
	watching
	query string
	run   atomic.Pointer[url.URL] // where the answer is kept; nil until known
}

func (t *asking) RoundTrip(r *http.Request) (*http.Response, error) {
	if run := t.run.Load(); run != nil {
		r = r.Clone(r.Context())
		r.Method, r.URL = http.MethodGet, run
		r.Body, r.GetBody, r.ContentLength = nil, nil, 0
		Message{}.describe(r.Header)
	}
	response, err := t.watching.RoundTrip(r)
	if err == nil && response.Header.Get("Content-Location") != "" {
		if run := t.client.below(response.Header.Get("Content-Location")); run != nil {
			run.RawQuery = t.query
			t.run.Store(run)
		}
	}
	return response, err
}

// below returns the URL of a path that a bridge has named. A bridge does not know of a path below which a proxy serves it.
func (c *Client) below(path string) *url.URL {
	at, err := url.Parse(path)
	base := c.config.URL
	switch {
	case err != nil || at.Host != "" || !strings.HasPrefix(path, "/"):
		return nil
	case strings.HasPrefix(at.Path, strings.TrimSuffix(base.Path, "/")+"/"):
		return base.ResolveReference(at)
	}
	return base.JoinPath(at.EscapedPath())
}
