package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// Message is what Publish sends.
type Message struct {
	Body  []byte
	Key   string // the Idempotency-Key, by which a repetition is recognised
	Event string // the name of the event; "" for none
}

// describe sets the headers of a request with the message, and removes them for the zero value.
func (m Message) describe(header http.Header) {
	for name, value := range map[string]string{"Idempotency-Key": m.Key, "Tailwater-Event": m.Event} {
		header.Del(name)
		if value != "" {
			header.Set(name, value)
		}
	}
	header.Del("Content-Type")
	if m.Key != "" {
		header.Set("Content-Type", "application/octet-stream")
	}
}

// Receipt is the bridge's answer to a message.
type Receipt struct {
	Subject   string
	ID        string // of the event; "" if no stream stores the subject, or its stream is left alone
	Stream    string // "" if no stream stores the subject
	Seq       uint64
	Duplicate bool
	JSON      []byte `json:"-"` // the answer itself, on one line
}

// attempt is how long a POST may take.
const attempt = time.Minute

// Publish posts a message, and again with the same key while the bridge cannot be reached. The error is that of ctx, a Refusal or ErrGaveUp.
func (c *Client) Publish(ctx context.Context, to *url.URL, m Message) (*Receipt, error) {
	attempts := attempts{client: c}
	for pause := pauses.InitialInterval; ; pause = min(pauses.MaxInterval, time.Duration(float64(pause)*pauses.Multiplier)) {
		receipt, err := c.post(ctx, to, m)
		switch {
		case err == nil:
			return receipt, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
		wait := time.Duration(float64(pause) * (1 + pauses.Jitter*rand.Float64()))
		if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
			wait = max(wait, refusal.After)
		}
		if err := attempts.failed(err, wait); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (c *Client) post(ctx context.Context, to *url.URL, m Message) (*Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(m.Body))
	if err != nil {
		return nil, err
	}
	m.describe(request.Header)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, withoutURL(err)
	}
	if response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusAccepted {
		return nil, refusalOf(response)
	}
	defer response.Body.Close()
	receipt := new(Receipt)
	text, err := io.ReadAll(io.LimitReader(response.Body, maxProblem))
	if err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	receipt.JSON = bytes.TrimSpace(text)
	if json.Unmarshal(text, receipt) != nil || receipt.Subject == "" {
		return nil, &Refusal{Status: response.StatusCode, Detail: notABridge}
	}
	return receipt, nil
}

// withoutURL removes the URL from an error of net/http: its query may hold a ticket.
func withoutURL(err error) error {
	var around *url.Error
	if errors.As(err, &around) {
		return around.Err
	}
	return err
}
