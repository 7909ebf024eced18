package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

var errSilence = errors.New("nothing arrives, not even heartbeats")

// watched returns a client of HTTP whose requests end when nothing arrives for too long: a cut cable closes no connection.
func (c *Client) watched() *http.Client {
	watched := *c.http
	watched.Transport = watching{c}
	return &watched
}

// watching also makes an error of a refusal, because the library takes every answer but an event stream for final. follow then judges it.
type watching struct{ client *Client }

func (t watching) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(t.client.longestSilence(), func() { cancel(errSilence) })
	end := func() {
		timer.Stop()
		cancel(nil)
	}
	response, err := t.client.http.Transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		end()
		return nil, because(ctx, err)
	}
	response.Body = &watchedBody{response.Body, t.client, ctx, timer, end}
	if response.StatusCode >= 400 {
		return nil, refusalOf(response)
	}
	return response, nil
}

func (c *Client) longestSilence() time.Duration { return time.Duration(c.silence.Load()) }

// because returns the reason for which ctx was cancelled, if it was cancelled for silence, and err otherwise.
func because(ctx context.Context, err error) error {
	if context.Cause(ctx) == errSilence {
		return errSilence
	}
	return err
}

type watchedBody struct {
	io.ReadCloser
	client *Client
	ctx    context.Context
	timer  *time.Timer
	end    func()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.client.longestSilence())
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop() // while what was read is printed, which may wait for somebody
	if err != nil && err != io.EOF {
		err = because(b.ctx, err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.end()
	return b.ReadCloser.Close()
}
