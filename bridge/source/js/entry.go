package js

import "github.com/nats-io/nats.go"

// Entry is the message stored at one sequence.
type Entry struct {
	Seq     uint64
	Time    int64 // nanoseconds since 1970
	Subject string
	Header  nats.Header
	Data    []byte
	Broken  bool // its headers cannot be decoded
}

// Received returns the entry of a message that arrived on a subscription.
func Received(msg *nats.Msg, seq uint64, at int64) Entry {
	return Entry{seq, at, msg.Subject, msg.Header, msg.Data, IsBroken(msg)}
}

// Size returns the entry's size in memory, in bytes, roughly.
func (e Entry) Size() int {
	size := len(e.Subject) + len(e.Data)
	for name, values := range e.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	return size
}
