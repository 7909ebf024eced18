package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tailwater/tailwater/bridge"
)

// publishTimeout is how long NATS may take to confirm a message.
const publishTimeout = 5 * time.Second

// post is a POST that its caller may send. Its body has not been read.
type post struct {
	query   url.Values
	caller  bridge.Caller
	subject bridge.Subject
	header  map[string][]string // for NATS
	key     string              // see idempotencyKey
}

// readPost checks a POST, in the order that the package promises.
func (a *API) readPost(r *http.Request, t *target) (p post, err error) {
	if t.err != nil {
		return p, t.err
	}
	if len(t.subjects) != 1 {
		return p, fmt.Errorf("%w: a message is published to one subject, not to %d", errQuery, len(t.subjects))
	}
	if p.query, err = t.query(r); err != nil {
		return p, err
	}
	if p.caller, err = a.caller(r, p.query); err != nil {
		return p, err
	}
	if p.subject, err = a.mayPublish(t, p.caller); err != nil {
		return p, err
	}
	if p.header, err = natsHeader(r); err != nil {
		return p, err
	}
	p.key, err = idempotencyKey(r)
	return p, err
}

// publish answers POST: the body becomes the payload, unchanged.
func (a *API) publish(w http.ResponseWriter, r *http.Request, t target) error {
	p, err := a.readPost(r, &t)
	if err != nil {
		return err
	}
	if err := a.checkRate(w, r, p.caller); err != nil {
		return err
	}
	body, free, err := a.readBody(w, r, p.caller)
	if err != nil {
		return err
	}
	defer free()
	if p.key != "" {
		event := r.Header.Get(bridge.HeaderEvent)
		p.header[bridge.HeaderMessageID] = []string{bridge.MessageID(p.caller, p.subject, p.key, event, body)}
	}
	receipt, err := a.send(r, p, body)
	if err != nil {
		return err
	}
	a.stats.posts.Add(postAccepted)
	if receipt.Stream == "" {
		writeJSON(w, http.StatusAccepted, typeDocument, map[string]bridge.Subject{"subject": p.subject})
		return nil
	}
	answer := stored{Subject: p.subject, Stream: receipt.Stream, Seq: receipt.Position.Seq, Duplicate: receipt.Duplicate}
	if receipt.Position.Epoch != "" {
		answer.ID = receipt.Position.String()
	}
	writeJSON(w, http.StatusCreated, typeDocument, answer)
	return nil
}

// timePost measures a POST that began at that time.
func (a *API) timePost(begun time.Time) {
	if a.config.Posts != nil {
		a.config.Posts.Observe(time.Since(begun).Seconds())
	}
}

// mayPublish returns the subject that a caller publishes to, or asks on, if allowed.
func (a *API) mayPublish(t *target, caller bridge.Caller) (bridge.Subject, error) {
	subject, err := t.route.Claim(t.subjects[0], caller)
	if err != nil {
		return "", err
	}
	grant := a.grant(caller)
	switch {
	case t.route.Discovers():
		return subject, grant.CheckDiscovery(subject)
	case t.route.GrantsPublish():
		return subject, a.explain(grant.CheckGrantedPublish(subject), subject)
	case t.route.Grants() && !subject.Wild():
		return "", fmt.Errorf("%w: %q can only be read here; %s", bridge.ErrForbidden, subject, readOnlyAdvice(t.route))
	}
	return subject, a.explain(grant.CheckPublish(subject), subject)
}

func readOnlyAdvice(route bridge.Route) string {
	if route.NeedsClaims() {
		return "publish to another subject, or ask the operator to begin the route with POST"
	}
	return "write the key with a NATS client"
}

func (a *API) send(r *http.Request, p post, body []byte) (receipt bridge.Receipt, _ error) {
	return receipt, a.hand(r.Context(), publishTimeout, func(ctx context.Context) (err error) {
		ctx, span := a.toNATS(ctx, "publish", p.subject, p.header, len(body))
		receipt, err = a.config.Publisher.Publish(ctx, p.subject, p.header, body)
		span.Set("tailwater.stream", receipt.Stream)
		span.End(err)
		return err
	})
}

// stored is the answer to a message that a stream has stored.
type stored struct {
	Subject   bridge.Subject `json:"subject"`
	ID        string         `json:"id,omitempty"` // without the time, which the stream does not return; absent if no connection can resume there
	Stream    string         `json:"stream"`
	Seq       uint64         `json:"seq"`
	Duplicate bool           `json:"duplicate"`
}

// natsHeader returns the headers of the message. Only these are passed on from a request to NATS, where headers can be commands. A header
// added here is shown to every reader of the subject (format=json), and must be in knownHeaders, or pages of other origins cannot send it.
// If it changes what a message means, bridge.MessageID must hash it, or two different messages of a caller without a name count as one.
// An invalid event name is refused, because readers would get another event; a traceparent that is invalid is only left out.
func natsHeader(r *http.Request) (map[string][]string, error) {
	header := map[string][]string{}
	if event := r.Header.Get(bridge.HeaderEvent); event != "" {
		if err := bridge.CheckEventName(event); err != nil {
			return nil, err
		}
		header[bridge.HeaderEvent] = []string{event}
	}
	if parent := r.Header.Get(bridge.HeaderTraceparent); isVisible(parent, 256) {
		header[bridge.HeaderTraceparent] = []string{parent}
	}
	return header, nil
}

// idempotencyKey returns the key with which a caller marks a message that it may send again; "" for none. NATS never sees it.
func idempotencyKey(r *http.Request) (string, error) {
	key := r.Header.Get("Idempotency-Key")
	if key != "" && !isVisible(key, 256) {
		return "", fmt.Errorf("%w: Idempotency-Key must be at most 256 visible ASCII characters", errHeader)
	}
	return key, nil
}

func isVisible(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// checkText refuses a body that claims to be text and is not: its readers would get base64 instead.
func checkText(r *http.Request, body []byte) error {
	// Parameters change nothing, whether they are valid or not; without a type there is nothing to check.
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	media, _, _ = mime.ParseMediaType(media)
	if media != typeDocument && !strings.HasPrefix(media, "text/") {
		return nil
	}
	switch {
	case bytes.IndexByte(body, 0) >= 0:
		return fmt.Errorf("%w: it holds a NUL byte at position %d; send binary data as application/octet-stream", errText, bytes.IndexByte(body, 0))
	case !utf8.Valid(body):
		return fmt.Errorf("%w: it is not UTF-8; convert it, or send it as application/octet-stream", errText)
	}
	return nil
}
