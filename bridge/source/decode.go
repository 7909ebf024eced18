package source

import (
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// Headers that say what became of a subject's value, where its stream has it so.
const (
	headerMarker    = "Nats-Marker-Reason" // the server's word for what a limit or a purge removed
	headerOperation = "KV-Operation"       // DEL and PURGE in a key-value bucket
	headerSchedule  = "Nats-Schedule"      // what bears it is a plan for messages to come, not a message
)

// decoder makes messages for feeds of what came from NATS. It looks at nothing in a message that could steer it: a
// publisher may set any header, `Status` too.
type decoder struct {
	bucket    bool // the stream is a key-value bucket
	markers   bool // the server leaves markers in the stream where it removes a subject's last message
	schedules bool // the stream takes schedules
	stats     *counters
	broken    func(subject string) // told of a message whose headers cannot be decoded
}

// decoder gives what decodes a stream's messages; those of subjects without a stream take the zero value of the config.
func (s *Source) decoder(config jetstream.StreamConfig) decoder {
	return decoder{
		bucket:    strings.HasPrefix(config.Name, "KV_"),
		markers:   config.SubjectDeleteMarkerTTL > 0,
		schedules: config.AllowMsgSchedules,
		stats:     &s.stats,
		broken:    s.noteBroken,
	}
}

// receive is decode for a message that came on a subscription.
func (d decoder) receive(msg *nats.Msg, at bridge.Position) *bridge.Message {
	if isBroken(msg) {
		d.broken(msg.Subject)
	}
	return d.decode(msg.Subject, msg.Header, msg.Data, at)
}

// decode gives nil where a stream's entry is no message.
func (d decoder) decode(subject string, header nats.Header, data []byte, at bridge.Position) *bridge.Message {
	if d.schedules && header.Get(headerSchedule) != "" {
		return nil
	}
	return &bridge.Message{
		Subject:  subject,
		Position: at,
		Event:    d.eventName(header),
		Header:   header,
		Data:     data,
		Deleted:  len(data) == 0 && d.deletes(header),
	}
}

func (d decoder) deletes(header nats.Header) bool {
	operation := header.Get(headerOperation)
	return d.markers && header.Get(headerMarker) != "" || d.bucket && (operation == "DEL" || operation == "PURGE")
}

// eventName gives the publisher's name for the event, or none where it is one that no publisher may use.
func (d decoder) eventName(header nats.Header) string {
	name := header.Get(bridge.HeaderEvent)
	if name == "" {
		return ""
	}
	if err := bridge.CheckEventName(name); err != nil {
		d.stats.refusedEvents.Add(1)
		return ""
	}
	return name
}
