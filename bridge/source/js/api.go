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

// DefaultAPI is the API of the servers that the connection is made to.
const DefaultAPI = "$JS.API"

// What JetStream is asked. But for the first, the name of a stream follows. What the bridge's user must be allowed is made of
// the same words: see permissions.
const (
	AskNames    = "STREAM.NAMES"
	AskInfo     = "STREAM.INFO."
	AskCreate   = "STREAM.CREATE."
	AskUpdate   = "STREAM.UPDATE."
	AskMessage  = "STREAM.MSG.GET."
	AskDirect   = "DIRECT.GET."
	AskConsumer = "CONSUMER.CREATE."
	AskDelete   = "CONSUMER.DELETE."
)

// API asks JetStream by its own subjects. The shapes of requests and answers are nats.go's; its client is not used,
// because it takes messages with certain headers for answers of the server.
type API struct {
	*Conn
	Prefix  string // begins its subjects; "" for $JS.API
	Context string // with which the nats command signs in; "" for its own
}

// Subject returns the subject of a request.
func (a API) Subject(what string) string { return cmp.Or(a.Prefix, DefaultAPI) + "." + what }

// IsRefused reports whether a request was refused since a moment. A server that is of the domain itself checks, and names, what it takes
// the subject for.
func (a API) IsRefused(since Moment, subject string) bool {
	return since.PublishRefused(subject) ||
		a.Prefix != "" && since.PublishRefused(DefaultAPI+strings.TrimPrefix(subject, a.Prefix))
}

// Call sends a request, nil for none, and reads the answer into response, nil for none. The error wraps *jetstream.APIError if
// JetStream refused, nats.ErrNoResponders if there is no JetStream, bridge.ErrRefused as soon as NATS says that the bridge may not ask, and
// the context's error if nothing was answered in time.
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
		return fmt.Errorf("it answers what is no JSON: %w", err)
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

// allowed asks until it is answered, NATS refuses the question or its answer, or the context ends.
func (a API) allowed(ctx context.Context, subject string, body []byte) ([]byte, error) {
	ctx, refuse := context.WithCancelCause(ctx)
	asked := a.Link().Now()
	var watch sync.WaitGroup
	defer watch.Wait()
	defer refuse(nil)
	watch.Go(func() {
		for {
			change := asked.Violations()
			if a.IsRefused(asked, subject) || asked.Ever().SubscribeRefused(a.answers) {
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

// MsgGet asks a stream's leader for one message: it knows all that was acknowledged.
type MsgGet struct {
	Seq       uint64         `json:"seq,omitempty"`
	NextFor   bridge.Subject `json:"next_by_subj,omitempty"`
	LastFor   bridge.Subject `json:"last_by_subj,omitempty"`
	StartTime *time.Time     `json:"start_time,omitempty"`
}

// StoredAt is where a message is, and its content.
type StoredAt struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Subject string    `json:"subject"`
	Header  []byte    `json:"hdrs"`
	Data    []byte    `json:"data"`
}

// Caller is API.Call, or does more.
type Caller func(ctx context.Context, what string, request, response any) error

// Stored returns where a message is; the zero value if there is none.
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

// FlowControl is where a consumer's flow control is answered. It is not narrowed to a stream: newer servers can be told
// to put domain and account before its name.
const (
	FlowControl      = FlowControlBegin + ">"
	FlowControlBegin = "$JS.FC."
)

// Reading returns the requests by which a stream is read: single messages of its leader, pages of any replica, and
// consumers.
func (a API) Reading(stream string) []string {
	return []string{
		a.Subject(AskMessage + stream),
		a.Subject(AskDirect + stream),
		a.Subject(AskConsumer + stream + ".>"),
		a.Subject(AskDelete + stream + ".*"),
	}
}
