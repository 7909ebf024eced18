package js

import (
	"strconv"
	"strings"
)

// Ack is the reply subject of a message from a consumer. A publisher cannot forge it: the server replaces the publisher's reply
// subject.
type Ack struct {
	Stream      string
	StreamSeq   uint64
	ConsumerSeq uint64
	Time        int64  // nanoseconds since 1970
	Pending     uint64 // messages that the consumer has not delivered yet
}

// ParseAck reads $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>, or the longer form, which
// has domain and account before the stream, and may have more tokens at its end.
func ParseAck(reply string) (Ack, bool) {
	rest, found := strings.CutPrefix(reply, "$JS.ACK.")
	if !found {
		return Ack{}, false
	}
	tokens := strings.Split(rest, ".")
	switch {
	case len(tokens) == 7:
	case len(tokens) >= 9:
		tokens = tokens[2:]
	default:
		return Ack{}, false
	}
	a := Ack{Stream: tokens[0]}
	var errs [4]error
	a.StreamSeq, errs[0] = strconv.ParseUint(tokens[3], 10, 64)
	a.ConsumerSeq, errs[1] = strconv.ParseUint(tokens[4], 10, 64)
	a.Time, errs[2] = strconv.ParseInt(tokens[5], 10, 64)
	a.Pending, errs[3] = strconv.ParseUint(tokens[6], 10, 64)
	return a, errs == [4]error{}
}
