package runs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tailwater/tailwater/bridge"
)

// chunk is an answer in NATS's agent protocol. One of the type query asks for a message on its reply subject.
type chunk struct {
	Type string
	Data json.RawMessage
}

// query is the data of such a chunk.
type query struct {
	ID           string `json:"id"`
	ReplySubject string `json:"reply_subject"`
}

// Reply sends the asker's answer to a query of whoever answers the run. The error wraps bridge.ErrNoQuery, bridge.ErrBusy, bridge.ErrClosed or what
// NATS returns. It is bridge.ErrForbidden if the query names a subject that is no inbox: otherwise a worker could publish with the rights of
// the bridge.
func (r *Runs) Reply(ctx context.Context, subject bridge.Subject, id string, data []byte, account bridge.Account) error {
	inbox, err := r.inboxOf(ctx, subject, id, account)
	if err == nil {
		// Like a question, so that NATS says whether somebody listens: an agent stops listening after the first answer.
		err = r.config.NATS.Ask(ctx, inbox, subject+".query", nil, data)
	}
	if errors.Is(err, bridge.ErrNoResponders) {
		err = bridge.ErrNoQuery
	}
	if err != nil {
		return fmt.Errorf("answer a query: %w", err)
	}
	r.count(&r.stats.Replied)
	return nil
}

// inboxOf returns the subject on which whoever answers a run waits for the answer to a query.
func (r *Runs) inboxOf(ctx context.Context, subject bridge.Subject, id string, account bridge.Account) (bridge.Subject, error) {
	// The asker may have read the query on another bridge.
	end, err := r.config.Hub.End(ctx, r.config.Store, []bridge.Subject{subject}, account)
	if err != nil {
		return "", err
	}
	framing := bridge.Framing{Format: bridge.Lines, Run: true}
	resume := bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}, Sync: true, Through: end, Account: account}
	reader, err := r.config.Hub.Read([]bridge.Subject{subject}, framing, resume)
	if err != nil {
		return "", err
	}
	defer reader.Close()
	more := bridge.NewSignal()
	var found string
	for {
		frames := reader.Next(nil, readBytes, more)
		for _, frame := range frames {
			if q, is := readQuery(frame); is && q.ID == id {
				found = q.ReplySubject
			}
		}
		switch {
		case reader.Ended():
			return "", bridge.ErrNoQuery
		case len(frames) > 0:
		case reader.Synced() && (found == "" || !reader.Run().Queries):
			return "", bridge.ErrNoQuery
		case reader.Synced():
			return inbox(found)
		case reader.Refusal() != nil:
			return "", reader.Refusal()
		default:
			select {
			case <-more:
			case <-ctx.Done():
				return "", fmt.Errorf("%w: %w", bridge.ErrUnavailable, ctx.Err())
			}
		}
	}
}

// readQuery returns the query in a message, as package bridge encodes it in lines.
func readQuery(frame []byte) (query, bool) {
	if !bytes.Contains(frame, []byte("reply_subject")) {
		return query{}, false
	}
	var line struct{ Subject, Data string }
	var c chunk
	var q query
	is := json.Unmarshal(frame, &line) == nil && line.Subject != "" &&
		json.Unmarshal([]byte(line.Data), &c) == nil && c.Type == "query" &&
		json.Unmarshal(c.Data, &q) == nil && q.ID != "" && q.ReplySubject != ""
	return q, is
}

// inboxPrefix begins the inboxes of NATS's clients by default. The bridge's own begin with another token.
const inboxPrefix = "_INBOX."

// inbox checks the subject that a query names.
func inbox(text string) (bridge.Subject, error) {
	s, err := bridge.ParseSubject(text)
	if err != nil || s.Wild() || !strings.HasPrefix(text, inboxPrefix) {
		return "", fmt.Errorf("%w: the program that asks names no inbox (%s…) for the answer", bridge.ErrForbidden, inboxPrefix)
	}
	return s, nil
}
