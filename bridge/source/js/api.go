package js

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
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
	Prefix    string // the first tokens of its subjects; "" for $JS.API
	Context   string // the context that nats commands name; "" for none
	isWatched bool
}

// watchedCall is how long a request of a watched API may take.
const watchedCall = 3 * time.Second

// Watched returns an API whose requests have a time limit. The link records those without an answer: see Link.Longest.
func (a API) Watched() API {
	a.isWatched = true
	return a
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
func (a API) Call(ctx context.Context, what string, request, response any) (err error) {
	if a.isWatched {
		limited, cancel := context.WithTimeout(ctx, watchedCall)
		defer cancel()
		ctx = limited
		answered := a.Link().Ask(streamOf(what))
		defer func() { answered(err) }()
	}
	if err := a.call(ctx, what, request, response); err != nil {
		return fmt.Errorf("ask JetStream for %s: %w", what, err)
	}
	return nil
}

// streamOf returns the stream that a request is about; "" for all streams.
func streamOf(what string) string {
	for _, of := range []string{AskInfo, AskMessage, AskConsumer} {
		if name, found := strings.CutPrefix(what, of); found {
			name, _, _ = strings.Cut(name, ".")
			return name
		}
	}
	return ""
}

func (a API) call(ctx context.Context, what string, request, response any) error {
	var body []byte
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return err
		}
	}
	answer, err := a.request(ctx, a.Subject(what), body)
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

const (
	// tryTime is how long a request may have no answer before it is sent again: its receiver may be dead and replaced. An answer
	// to any of the tries counts.
	tryTime = 2 * time.Second
	// tryAgain is the age from which an unanswered request is sent again at once if there is a new leader or a new connection.
	tryAgain = 100 * time.Millisecond
	// longestCall is how long a request may take in all, unless its context ends earlier.
	longestCall = 30 * time.Second
)

// answered is the result of one try.
type answered struct {
	msg *nats.Msg
	err error
}

// request sends a request, again and again, until it is answered, NATS refuses it or its answer, or the context ends.
func (a API) request(ctx context.Context, subject string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, longestCall)
	var tries sync.WaitGroup
	defer tries.Wait()
	defer cancel()
	answers := make(chan answered)
	try := func() {
		tries.Go(func() {
			msg, err := a.NATS().RequestWithContext(ctx, subject, body)
			select {
			case answers <- answered{msg, err}:
			case <-ctx.Done():
			}
		})
	}
	again := time.NewTicker(tryTime)
	defer again.Stop()
	asked, begun := a.Link().Now(), time.Now()
	try()
	for change := a.Tries(); ; {
		violations := asked.Violations()
		if a.IsRefused(asked, subject) || asked.Ever().SubscribeRefused(a.answers()) {
			return nil, bridge.ErrRefused
		}
		select {
		case answer := <-answers:
			if answer.err != nil {
				return nil, answer.err
			}
			return answer.msg.Data, nil
		case <-violations:
		case <-again.C:
			try()
		case <-change:
			if link := a.Link(); link != asked.Link {
				asked = link.Now()
			}
			if change = a.Tries(); time.Since(begun) > tryAgain {
				try()
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// MsgGet asks a stream's leader for one message. The leader has every acknowledged message.
type MsgGet struct {
	Seq       uint64         `json:"seq,omitempty"`
	NextFor   bridge.Subject `json:"next_by_subj,omitempty"`
	LastFor   bridge.Subject `json:"last_by_subj,omitempty"`
	StartTime *time.Time     `json:"start_time,omitempty"`
}

// Stored returns a stored message; the zero value if there is none.
func (a API) Stored(ctx context.Context, stream string, ask MsgGet) (Entry, error) {
	var answer struct {
		Message struct {
			Seq     uint64    `json:"seq"`
			Time    time.Time `json:"time"`
			Subject string    `json:"subject"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
		} `json:"message"`
	}
	err := a.Call(ctx, AskMessage+stream, ask, &answer)
	if Code(err) == jetstream.JSErrCodeMessageNotFound {
		return Entry{}, nil
	}
	if err != nil {
		return Entry{}, err
	}
	found := answer.Message
	e := Entry{Seq: found.Seq, Time: found.Time.UnixNano(), Subject: found.Subject, Data: found.Data}
	if len(found.Header) > 0 {
		e.Header, err = nats.DecodeHeadersMsg(found.Header)
		e.Broken = err != nil
	}
	return e, nil
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
