package js

import (
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// Headers that say what happened to a subject's value, in streams that keep such messages.
const (
	HeaderMarker    = "Nats-Marker-Reason" // set by the server when a limit or a purge has removed the value
	HeaderOperation = "KV-Operation"       // DEL and PURGE in a key-value bucket
	headerSchedule  = "Nats-Schedule"      // a message with this header is a plan for later messages
)

// Decoder makes messages for feeds from messages of NATS. It follows no header that a publisher could set to mislead it, such as
// `Status`.
type Decoder struct {
	Config *jetstream.StreamConfig // of the messages' stream; the zero config for subjects without a stream
	Oddities
}

// Oddities are called for messages that are delivered incomplete.
type Oddities struct {
	BadName    func()               // the event name is reserved
	BadHeaders func(subject string) // the headers cannot be decoded
}

// Receive decodes a message that arrived on a subscription.
func (d Decoder) Receive(msg *nats.Msg, at bridge.Position) *bridge.Message {
	return d.Decode(Received(msg, at.Seq, at.Time), at)
}

// Decode returns the message of an entry; nil if the entry is not a message.
func (d Decoder) Decode(e Entry, at bridge.Position) *bridge.Message {
	if e.Broken {
		d.BadHeaders(e.Subject)
	}
	if d.Config.AllowMsgSchedules && e.Header.Get(headerSchedule) != "" {
		return nil
	}
	return &bridge.Message{
		Subject:  e.Subject,
		Position: at,
		Event:    d.eventName(e.Header),
		Header:   e.Header,
		Data:     e.Data,
		Deleted:  len(e.Data) == 0 && d.deletes(e.Header),
	}
}

// deletes reports whether an empty message means that its subject has no value any more: in a key-value bucket, or where the server stores a
// marker if it removes a subject's last message.
func (d Decoder) deletes(header nats.Header) bool {
	return d.Config.SubjectDeleteMarkerTTL > 0 && header.Get(HeaderMarker) != "" || strings.HasPrefix(d.Config.Name, "KV_") && isRemoval(header)
}

// isRemoval reports whether a message of a bucket ends the value of its key.
func isRemoval(header nats.Header) bool {
	operation := header.Get(HeaderOperation)
	return operation == "DEL" || operation == "PURGE"
}

// IsDeleted reports whether the newest message of a bucket's key means that it has no value.
func IsDeleted(header nats.Header) bool { return header.Get(HeaderMarker) != "" || isRemoval(header) }

// eventName returns the publisher's name for the event; "" for a reserved name.
func (d Decoder) eventName(header nats.Header) string {
	name := header.Get(bridge.HeaderEvent)
	if name == "" {
		return ""
	}
	if err := bridge.CheckEventName(name); err != nil {
		d.BadName()
		return ""
	}
	return name
}
