package js

import (
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// Headers that say what became of a subject's value, where its stream has it so.
const (
	HeaderMarker    = "Nats-Marker-Reason" // the server's word for what a limit or a purge removed
	HeaderOperation = "KV-Operation"       // DEL and PURGE in a key-value bucket
	headerSchedule  = "Nats-Schedule"      // what bears it is a plan for messages to come, not a message
)

// Decoder makes messages for feeds of what came from NATS. It looks at nothing in a message that could steer it: a
// publisher may set any header, `Status` too.
type Decoder struct {
	bucket    bool // the stream is a key-value bucket
	markers   bool // the server leaves markers in the stream where it removes a subject's last message
	schedules bool // the stream takes schedules
	Oddities
}

// Oddities are called for messages that are delivered without a part of them.
type Oddities struct {
	BadName    func()               // a name of an event that no publisher may use
	BadHeaders func(subject string) // headers that cannot be decoded
}

// NewDecoder returns what decodes a stream's messages; those of subjects without a stream take the zero value of the config.
func NewDecoder(config jetstream.StreamConfig, told Oddities) Decoder {
	return Decoder{
		bucket:    strings.HasPrefix(config.Name, "KV_"),
		markers:   config.SubjectDeleteMarkerTTL > 0,
		schedules: config.AllowMsgSchedules,
		Oddities:  told,
	}
}

// Receive decodes a message that came on a subscription.
func (d Decoder) Receive(msg *nats.Msg, at bridge.Position) *bridge.Message {
	return d.Decode(Received(msg, at.Seq, at.Time), at)
}

// Decode returns the message of an entry; nil if it is none.
func (d Decoder) Decode(e Entry, at bridge.Position) *bridge.Message {
	if e.Broken {
		d.BadHeaders(e.Subject)
	}
	if d.schedules && e.Header.Get(headerSchedule) != "" {
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

func (d Decoder) deletes(header nats.Header) bool {
	operation := header.Get(HeaderOperation)
	return d.markers && header.Get(HeaderMarker) != "" || d.bucket && (operation == "DEL" || operation == "PURGE")
}

// eventName returns the publisher's name for the event; "" if no publisher may use it.
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
