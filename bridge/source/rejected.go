package source

import (
	"fmt"
	"net/http"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// rejections are the errors for codes with which a stream refuses a message.
var rejections = map[jetstream.ErrorCode]error{
	js.CodeNotEnoughForAccount: bridge.ErrFull,
	js.CodeNotEnough:           bridge.ErrFull,
	js.CodeNotEnoughMemory:     bridge.ErrFull,
	js.CodeNotEnoughStorage:    bridge.ErrFull,
	js.CodeMessageTooLarge:     bridge.ErrTooLarge,
	js.CodeHeaderTooLarge:      bridge.ErrTooLarge,
	js.CodeSealed:              bridge.ErrSealed,
	js.CodeWrongLastSequence:   bridge.ErrConflict,
	js.CodeWrongLastInCluster:  bridge.ErrConflict,
}

// storeFailures are the errors for descriptions of js.CodeStoreFailed.
var storeFailures = map[string]error{
	"maximum messages exceeded":             bridge.ErrFull,
	"maximum bytes exceeded":                bridge.ErrFull,
	"maximum messages per subject exceeded": bridge.ErrSubjectFull,
	"message too large":                     bridge.ErrTooLarge, // for a record of the file store
}

// passing are the statuses of refusals that may end soon, such as 409 while the same message is being stored.
var passing = map[int]bool{http.StatusRequestTimeout: true, http.StatusConflict: true, http.StatusTooManyRequests: true}

// rejected returns the error for a stream's refusal of a message. An unknown refusal is final if its status blames the message;
// otherwise it may pass.
func rejected(stream string, refusal *jetstream.APIError) error {
	kind := rejections[refusal.ErrorCode]
	if refusal.ErrorCode == js.CodeStoreFailed {
		kind = storeFailures[refusal.Description]
	}
	switch {
	case kind != nil:
	case refusal.ErrorCode == js.CodeStoreFailed: // writing to a file failed, on a full disk for example
		kind = bridge.ErrBroken
	case refusal.Code >= 400 && refusal.Code < 500 && !passing[refusal.Code]:
		kind = bridge.ErrUnfit
	default:
		kind = bridge.ErrUnavailable
	}
	return fmt.Errorf("%w: the stream %s: %w", kind, stream, refusal)
}
