package source

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// DomainAPI returns the Config.API of a JetStream domain.
func DomainAPI(domain string) string { return "$JS." + domain + ".API" }

// defaultAPI is the API of the servers that the connection is made to.
const defaultAPI = "$JS.API"

// What JetStream is asked. But for the first, the name of a stream follows. What the bridge's user must be allowed is made of
// the same words: see permissions.
const (
	askNames    = "STREAM.NAMES"
	askInfo     = "STREAM.INFO."
	askCreate   = "STREAM.CREATE."
	askUpdate   = "STREAM.UPDATE."
	askMessage  = "STREAM.MSG.GET."
	askDirect   = "DIRECT.GET."
	askConsumer = "CONSUMER.CREATE."
	askDelete   = "CONSUMER.DELETE."
)

// api asks JetStream by its own subjects. The shapes of requests and answers are nats.go's; its client is not used,
// because it takes messages with certain headers for answers of the server.
type api struct {
	conn    *nats.Conn
	prefix  string   // begins its subjects, see Config.API
	retries *retries // nil for none
	context string   // with which the nats command signs in; "" for its own
}

// subject returns the subject of a request.
func (a api) subject(what string) string { return cmp.Or(a.prefix, defaultAPI) + "." + what }

// isRefused reports whether a request was refused since there were so many violations. A server that is of the domain itself
// checks, and names, what it takes the subject for.
func (a api) isRefused(refused *refusals, before uint64, subject string) bool {
	return refused.publishedSince(before, subject) ||
		a.prefix != "" && refused.publishedSince(before, defaultAPI+strings.TrimPrefix(subject, a.prefix))
}

// call sends a request, nil for none, and reads the answer into response, nil for none. The error wraps
// *jetstream.APIError where JetStream refused, nats.ErrNoResponders where there is no JetStream, and the context's error
// where nothing was answered in time: also if the bridge is not permitted to ask.
func (a api) call(ctx context.Context, what string, request, response any) error {
	var body []byte
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return fmt.Errorf("ask JetStream for %s: %w", what, err)
		}
	}
	answer, err := a.request(ctx, a.subject(what), body)
	if err != nil {
		return fmt.Errorf("ask JetStream for %s: %w", what, err)
	}
	var refusal struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &refusal); err != nil {
		return fmt.Errorf("ask JetStream for %s: it answers what is no JSON: %w", what, err)
	}
	if refusal.Error != nil {
		return fmt.Errorf("ask JetStream for %s: %w", what, refusal.Error)
	}
	if response == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Data, response); err != nil {
		return fmt.Errorf("ask JetStream for %s: read the answer: %w", what, err)
	}
	return nil
}

// msgGet asks a stream's leader for one message: it knows all that was acknowledged.
type msgGet struct {
	Seq       uint64         `json:"seq,omitempty"`
	NextFor   bridge.Subject `json:"next_by_subj,omitempty"`
	LastFor   bridge.Subject `json:"last_by_subj,omitempty"`
	StartTime *time.Time     `json:"start_time,omitempty"`
}

// storedAt is where a message is, and what it says.
type storedAt struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Subject string    `json:"subject"`
	Header  []byte    `json:"hdrs"`
	Data    []byte    `json:"data"`
}

// stored gives where a message is; the zero value where there is none.
func (a api) stored(ctx context.Context, stream string, ask msgGet) (storedAt, error) {
	var answer struct {
		Message storedAt `json:"message"`
	}
	err := a.call(ctx, askMessage+stream, ask, &answer)
	var refusal *jetstream.APIError
	if errors.As(err, &refusal) && refusal.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return storedAt{}, nil
	}
	return answer.Message, err
}
