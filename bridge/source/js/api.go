package js

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// DomainAPI returns the prefix of the API of a JetStream domain.
func DomainAPI(domain string) string { return "$JS." + domain + ".API" }

// DefaultAPI is the API of the servers that the bridge connects to.
const DefaultAPI = "$JS.API"

// The requests of JetStream's API. The name of a stream follows all but the first. The permissions of the bridge's user are made
// of the same words: see permissions.
const (
	AskNames    = "STREAM.NAMES"
	AskInfo     = "STREAM.INFO."
	AskCreate   = "STREAM.CREATE."
	AskUpdate   = "STREAM.UPDATE."
	AskMessage  = "STREAM.MSG.GET."
	AskDirect   = "DIRECT.GET."
	AskConsumer = "CONSUMER.CREATE."
	AskNext     = "CONSUMER.MSG.NEXT."
	AskDelete   = "CONSUMER.DELETE."
)

// API sends requests to JetStream's own subjects. The shapes of requests and answers are those of nats.go. Its client is not
// used, because it mistakes messages with certain headers for answers of the server.
type API struct {
	*Conn
	Prefix  string // the first tokens of its subjects; "" for $JS.API
	Context string // the context that nats commands name; "" for none
}

// Subject returns the subject of a request.
func (a API) Subject(what string) string { return cmp.Or(a.Prefix, DefaultAPI) + "." + what }

// IsRefused reports whether a request was refused since a moment. A server inside the domain checks, and reports, the subject
// without the domain.
func (a API) IsRefused(since Moment, subject string) bool {
	return since.PublishRefused(subject) ||
		a.Prefix != "" && since.PublishRefused(DefaultAPI+strings.TrimPrefix(subject, a.Prefix))
}

// Call sends a request and reads the answer into response; both may be nil. The error wraps *jetstream.APIError if JetStream
// refused, nats.ErrNoResponders if there is no JetStream, bridge.ErrRefused as soon as NATS refuses the request, and the
// context's error if no answer arrived in time.
func (a API) Call(ctx context.Context, what string, request, response any) error {
	if err := a.call(ctx, what, request, response); err != nil {
		return fmt.Errorf("ask JetStream for %s: %w", what, err)
	}
	return nil
}

func (a API) call(ctx context.Context, what string, request, response any) error {
	var body []byte
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return err
		}
	}
	answer, err := a.allowed(ctx, a.Subject(what), body)
	if err != nil {
		return err
	}
	var refusal struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer, &refusal); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	if refusal.Error != nil {
		return refusal.Error
	}
	if response == nil {
		return nil
	}
	if err := json.Unmarshal(answer, response); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// allowed repeats a request until it is answered, NATS refuses it or its answer, or the context ends.
func (a API) allowed(ctx context.Context, subject string, body []byte) ([]byte, error) {
	ctx, refuse := context.WithCancelCause(ctx)
	asked := a.Link().Now()
	var watch sync.WaitGroup
	defer watch.Wait()
	defer refuse(nil)
	watch.Go(func() {
		for {
			change := asked.Violations()
			if a.IsRefused(asked, subject) || asked.Ever().SubscribeRefused(a.answers()) {
				refuse(bridge.ErrRefused)
			}
			select {
			case <-change:
			case <-ctx.Done():
				return
			}
		}
	})
	answer, err := a.request(ctx, subject, body)
	if err != nil && errors.Is(context.Cause(ctx), bridge.ErrRefused) {
		return nil, bridge.ErrRefused
	}
	if err != nil {
		return nil, err
	}
	return answer.Data, nil
}

// MsgGet asks a stream's leader for one message. The leader has every acknowledged message.
type MsgGet struct {
	Seq       uint64         `json:"seq,omitempty"`
	NextFor   bridge.Subject `json:"next_by_subj,omitempty"`
	LastFor   bridge.Subject `json:"last_by_subj,omitempty"`
	StartTime *time.Time     `json:"start_time,omitempty"`
}

// StoredAt is a stored message and its sequence.
type StoredAt struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Subject string    `json:"subject"`
	Header  []byte    `json:"hdrs"`
	Data    []byte    `json:"data"`
}

// Caller is API.Call, or a function around it.
type Caller func(ctx context.Context, what string, request, response any) error

// Stored returns a stored message; the zero value if there is none.
func Stored(ctx context.Context, call Caller, stream string, ask MsgGet) (StoredAt, error) {
	var answer struct {
		Message StoredAt `json:"message"`
	}
	err := call(ctx, AskMessage+stream, ask, &answer)
	if Code(err) == jetstream.JSErrCodeMessageNotFound {
		return StoredAt{}, nil
	}
	return answer.Message, err
}

// Reading returns the requests that read a stream: single messages from its leader, pages from any replica, and consumers.
func (a API) Reading(stream string) []string {
	return []string{
		a.Subject(AskMessage + stream),
		a.Subject(AskDirect + stream),
		a.Subject(AskConsumer + stream + ".>"),
		a.Subject(AskNext + stream + ".*"),
		a.Subject(AskDelete + stream + ".*"),
	}
}
