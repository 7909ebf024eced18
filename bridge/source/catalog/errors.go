package catalog

// What an error of JetStream means.

import (
	"errors"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

func isNotFound(err error) bool {
	return js.Code(err) == jetstream.JSErrCodeStreamNotFound
}

// isAbsence reports whether an error proves that this bridge has no JetStream.
func isAbsence(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, bridge.ErrRefused) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
}

// isVerdict reports whether JetStream has decided, and would decide the same again.
func isVerdict(err error) bool {
	code := js.Code(err)
	return code != 0 && !isAbsence(err) && !slices.Contains([]jetstream.ErrorCode{js.CodeNoLeader, js.CodeIncomplete, js.CodeOffline}, code)
}

// lacksStorage reports whether JetStream has less storage left than a stream would reserve: on the server, or for the account.
func lacksStorage(err error) bool {
	code := js.Code(err)
	return js.IsFull(code) || code == js.CodeTooManyBytes
}
