package js

import "github.com/nats-io/nats.go"

// Given reads what answers a direct get from a block of headers: whether it is a message, of which subject and sequence, or a word
// of the server.
func Given(header nats.Header, size int, stream string) (isMessage bool, subject string, seq uint64, isWord bool) {
	if isGiven(header, size, stream) {
		e, err := stripped(&nats.Msg{Header: header}, headerPending, headerLast)
		return err == nil, e.Subject, e.Seq, isWordOf(header, size)
	}
	return false, "", 0, isWordOf(header, size)
}

var isWordOf = isWord
