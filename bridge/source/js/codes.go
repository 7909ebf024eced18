package js

import (
	"errors"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// Error codes of JetStream; package jetstream names only some of them.
const (
	CodeNotEnoughForAccount jetstream.ErrorCode = 10002
	CodeIncomplete          jetstream.ErrorCode = 10004
	CodeNoPeers             jetstream.ErrorCode = 10005
	CodeNoLeader            jetstream.ErrorCode = 10008
	CodeNotLeader           jetstream.ErrorCode = 10009
	CodeNotEnough           jetstream.ErrorCode = 10023
	CodeMaxConsumers        jetstream.ErrorCode = 10026
	CodeNotEnoughMemory     jetstream.ErrorCode = 10028
	CodeNotEnoughStorage    jetstream.ErrorCode = 10047
	CodeMessageTooLarge     jetstream.ErrorCode = 10054 // the stream's max_msg_size
	CodeOverlap             jetstream.ErrorCode = 10065
	CodeWrongLastSequence   jetstream.ErrorCode = 10071
	CodeNoReplicas          jetstream.ErrorCode = 10074
	CodeStoreFailed         jetstream.ErrorCode = 10077 // the description names the reason
	CodeHeaderTooLarge      jetstream.ErrorCode = 10097
	CodeTooManyStreams      jetstream.ErrorCode = 10027
	CodeSealed              jetstream.ErrorCode = 10109
	CodeBytesRequired       jetstream.ErrorCode = 10113
	CodeOffline             jetstream.ErrorCode = 10118
	CodeTooManyBytes        jetstream.ErrorCode = 10122
	CodeWrongLastInCluster  jetstream.ErrorCode = 10164 // CodeWrongLastSequence of a cluster
)

// Code returns the code in an error of JetStream; 0 if there is none.
func Code(err error) jetstream.ErrorCode {
	var refusal *jetstream.APIError
	if errors.As(err, &refusal) {
		return refusal.ErrorCode
	}
	return 0
}

// IsFull reports whether a code means that the server or the account has no room or memory left.
func IsFull(code jetstream.ErrorCode) bool {
	return slices.Contains([]jetstream.ErrorCode{CodeNotEnough, CodeNotEnoughForAccount, CodeNotEnoughMemory, CodeNotEnoughStorage}, code)
}
