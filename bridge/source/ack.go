package source

import (
	"strconv"
	"strings"
)

// ack is what the reply subject of a message from a consumer says of it. A publisher cannot forge it: the server puts it
// in the place of what the message was published with.
type ack struct {
	stream      string
	streamSeq   uint64
	consumerSeq uint64
	time        int64  // nanoseconds since 1970
	pending     uint64 // messages that the consumer has yet to deliver
}

// parseAck reads $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>, or the longer form,
// which has domain and account before the stream, and may have more behind.
func parseAck(reply string) (ack, bool) {
	rest, found := strings.CutPrefix(reply, "$JS.ACK.")
	if !found {
		return ack{}, false
	}
	tokens := strings.Split(rest, ".")
	switch {
	case len(tokens) == 7:
	case len(tokens) >= 9:
		tokens = tokens[2:]
	default:
		return ack{}, false
	}
	a := ack{stream: tokens[0]}
	var errs [4]error
	a.streamSeq, errs[0] = strconv.ParseUint(tokens[3], 10, 64)
	a.consumerSeq, errs[1] = strconv.ParseUint(tokens[4], 10, 64)
	a.time, errs[2] = strconv.ParseInt(tokens[5], 10, 64)
	a.pending, errs[3] = strconv.ParseUint(tokens[6], 10, 64)
	return a, errs == [4]error{}
}
