package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/tmaxmax/go-sse"
)

// MaxEvent is the size in bytes of the largest event that can be read: 64 MiB, the most that NATS allows, in base64, and some more.
const MaxEvent = 128 << 20

// Event is an event of a stream. Its Type is empty if the event has no name.
type Event = sse.Event

// ErrComplete means that nothing follows the events of a URL (204): a run has ended.
var ErrComplete = errors.New("the events are complete")

// pauses are the times between attempts, unless the bridge names one in `retry:`. It spreads its clients by itself.
var pauses = sse.Backoff{InitialInterval: 500 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxInterval: 30 * time.Second}

// Read passes each event of a URL to take. After every cut it reconnects, and continues after the last event that take got. It returns the
// reason for its end: that of ctx, an error of take, a Refusal, ErrComplete or ErrGaveUp.
func (c *Client) Read(ctx context.Context, from *url.URL, take func(Event) error) error {
	request, err := http.NewRequest(http.MethodGet, from.String(), nil)
	if err != nil {
		return err
	}
	return c.follow(ctx, c.watched(), request, take)
}

// follow makes a request, and again after every cut, with the position of the last event.
func (c *Client) follow(ctx context.Context, over *http.Client, request *http.Request, take func(Event) error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	attempts := attempts{client: c}
	source := sse.Client{
		HTTPClient: over, Backoff: pauses, ResponseValidator: validate,
		OnRetry: func(err error, wait time.Duration) {
			if ctx.Err() != nil {
				return // that is why the attempt failed
			}
			if err := attempts.failed(reasonOf(err), wait); err != nil {
				end(err)
			}
		},
	}
	connection := source.NewConnection(request.WithContext(ctx))
	connection.Buffer(nil, MaxEvent)
	connection.SubscribeToAll(func(event Event) {
		if ctx.Err() != nil {
			return // read already when ctx ended
		}
		attempts.succeeded()
		attempts.isAsked = event.Type == "tailwater:close"
		c.learnSilence(event)
		if err := take(event); err != nil {
			end(err)
		}
	})
	err := connection.Connect()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return reasonOf(err)
}

// reasonOf removes what the library says around an error.
func reasonOf(err error) error {
	var around *sse.ConnectionError
	if errors.As(err, &around) && around.Err != nil {
		return around.Err
	}
	return err
}

// validate accepts an event stream. Its errors are final.
func validate(response *http.Response) error {
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch {
	case response.StatusCode == http.StatusNoContent:
		return ErrComplete
	case response.StatusCode != http.StatusOK:
		return refusalOf(response)
	case media != "text/event-stream":
		return fmt.Errorf("the answer is %q and not an event stream; is this the address of a bridge?", media)
	}
	return nil
}

// learnSilence learns the longest silence from the first event of a connection, which names it in seconds.
func (c *Client) learnSilence(event Event) {
	var opening struct{ Heartbeat float64 }
	switch event.Type {
	case "tailwater:open", "tailwater:gap", "tailwater:reset":
		if json.Unmarshal([]byte(event.Data), &opening) == nil && opening.Heartbeat > 0 {
			c.silence.Store(int64(opening.Heartbeat * 2.5 * float64(time.Second)))
		}
	}
}

// attempts judges the attempts of one request.
type attempts struct {
	client *Client
	since  time.Time // the first failure; zero after a success

	isAsked bool // the bridge has asked for the next attempt, so the end of its connection is no trouble
}

func (a *attempts) succeeded() { a.since = time.Time{} }

// failed returns an error if there is to be no other attempt after the wait.
func (a *attempts) failed(err error, wait time.Duration) error {
	if a.since.IsZero() {
		a.since = time.Now()
	}
	patience := a.client.config.Patience
	switch {
	case !passes(err):
		return err
	case patience > 0 && time.Since(a.since)+wait > patience:
		return fmt.Errorf("%w after %v: %w", ErrGaveUp, patience, err)
	}
	if !a.isAsked {
		a.client.config.Trouble(err, wait)
	}
	a.isAsked = false
	return nil
}
