package source

import (
	"fmt"
	"net/http"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// rejections are what a stream answers to a message that it does not store, by nats-server's error codes. jetstream names
// only some of them.
var rejections = map[jetstream.ErrorCode]error{
	10002: bridge.ErrFull,     // resource limits exceeded for account
	10023: bridge.ErrFull,     // insufficient resources
	10028: bridge.ErrFull,     // insufficient memory resources available
	10047: bridge.ErrFull,     // insufficient storage resources available
	10054: bridge.ErrTooLarge, // message size exceeds maximum allowed: the stream's max_msg_size
	10097: bridge.ErrTooLarge, // header size exceeds maximum allowed of 64k
	10109: bridge.ErrSealed,   // invalid operation on sealed stream
}

// storeFailed is the code of an answer that says in words why a message was not stored.
const storeFailed = 10077

// storeFailures are those words.
var storeFailures = map[string]error{
	"maximum messages exceeded":             bridge.ErrFull,
	"maximum bytes exceeded":                bridge.ErrFull,
	"maximum messages per subject exceeded": bridge.ErrSubjectFull,
	"message too large":                     bridge.ErrTooLarge, // for a record of the file store
}

// passing are the statuses of refusals that can be otherwise in a moment, such as 409 while the same message is being
// stored.
var passing = map[int]bool{http.StatusRequestTimeout: true, http.StatusConflict: true, http.StatusTooManyRequests: true}

// rejected returns the error for a stream's refusal of a message. One that is not known is for good where it is the
// message's fault, by its status; else it may pass.
func rejected(stream string, refusal *jetstream.APIError) error {
	kind := rejections[refusal.ErrorCode]
	if refusal.ErrorCode == storeFailed {
		kind = storeFailures[refusal.Description]
	}
	switch {
	case kind != nil:
	case refusal.ErrorCode == storeFailed: // writing it to a file, as on a full disk
		kind = bridge.ErrBroken
	case refusal.Code >= 400 && refusal.Code < 500 && !passing[refusal.Code]:
		kind = bridge.ErrUnfit
	default:
		kind = bridge.ErrUnavailable
	}
	return fmt.Errorf("%w: the stream %s: %w", kind, stream, refusal)
}

// reads tells whether connections are served from a stream, so that one can continue behind a message in it.
func (t *table) reads(holding *stream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return holding.untapped() == "" && t.now != nil && !t.isBarred(holding.name())
}
