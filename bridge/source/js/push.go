package js

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

const (
	// Heartbeat is how often the server reports a consumer's progress while there are no messages.
	Heartbeat = 500 * time.Millisecond
	// Deaf is the silence after which a consumer counts as lost.
	Deaf = 3 * Heartbeat
	// pushPending is how many bytes may wait in the subscription. The server's flow control stays well below. Messages beyond are
	// dropped, and read again.
	pushPending = 64 << 20
	// consumerLife is how long the server keeps the consumer of a process that is gone.
	consumerLife = 30 * time.Second
)

// Push is a push consumer without acknowledgements, which delivers to an inbox of this process. nats.go's own types are not used:
// they mistake a message with a Status header for the server's, and anyone can publish one. Here, a message on the bare inbox
// subject is the server's; every other one is a message of the stream, and its reply subject describes it.
type Push struct {
	api    API
	on     *Conn // the connection that it delivers to
	stream string
	inbox  string
	name   string
	sub    *nats.Subscription
	seq    uint64 // the consumer's number of the last message; belongs to Take
}

// NewPush returns a consumer that is not made yet.
func (a API) NewPush(on *Conn, stream string) *Push {
	inbox := on.NewInbox()
	return &Push{api: a, on: on, stream: stream, inbox: inbox, name: inbox[strings.LastIndexByte(inbox, '.')+1:]}
}

// Inbox returns the subject that it delivers to.
func (p *Push) Inbox() string { return p.inbox }

// Subscribe makes the subscription; receive is called for every message, from one goroutine.
func (p *Push) Subscribe(receive func(*nats.Msg)) (err error) {
	if p.sub, err = p.on.Subscribe(p.inbox, receive); err != nil {
		return fmt.Errorf("subscribe to the inbox of a consumer: %w", err)
	}
	_ = p.sub.SetPendingLimits(-1, pushPending) // an open subscription returns no error
	return nil
}

// Make makes the consumer, in memory, on one server, within the limits of its stream. call is API.Call, or a function around it.
// It returns the number of messages to deliver.
func (p *Push) Make(ctx context.Context, call Caller, config nats.ConsumerConfig, limits jetstream.StreamConsumerLimits) (pending uint64, err error) {
	config.Name, config.DeliverSubject = p.name, p.inbox
	config.AckPolicy = nats.AckNonePolicy
	config.FlowControl = !p.on.Link().IsStalling() // otherwise the consumer would stop, waiting for an answer that NATS refuses
	config.Heartbeat = cmp.Or(config.Heartbeat, Heartbeat)
	config.InactiveThreshold = consumerLife
	if limits.InactiveThreshold > 0 {
		config.InactiveThreshold = min(consumerLife, limits.InactiveThreshold)
	}
	if limits.MaxAckPending > 0 {
		config.MaxAckPending = -1 // otherwise the stream's limit would become the consumer's
	}
	config.Replicas, config.MemoryStorage = 1, true
	what := AskConsumer + p.stream + "." + p.name
	// If the filter is in the subject, a server can check permissions by it. But a server closes the connection over a line that
	// is too long; it accepts the filter in the configuration alone.
	if config.FilterSubject != "" && len(config.FilterSubject) <= bridge.MaxSubjectBytes {
		what += "." + config.FilterSubject
	}
	request := struct {
		Stream string              `json:"stream_name"`
		Config nats.ConsumerConfig `json:"config"`
		Action string              `json:"action"`
	}{p.stream, config, "create"}
	var made struct {
		Pending uint64 `json:"num_pending"`
	}
	err = call(ctx, what, request, &made)
	return made.Pending, err
}

// ErrLost means that a consumer is gone, or that its messages are missing.
var ErrLost = errors.New("a consumer was lost")

// Take reads an arrived message, in order. It returns the message's place in the stream, or the zero value for a control message
// of the server, which it answers so that the server continues. isIdle means that the server has sent everything. The error is
// ErrLost if messages are missing.
func (p *Push) Take(msg *nats.Msg) (a Ack, isIdle bool, err error) {
	if msg.Subject == p.inbox {
		p.answer(msg)
		sent, err := strconv.ParseUint(msg.Header.Get("Nats-Last-Consumer"), 10, 64)
		if err == nil && sent != p.seq {
			return Ack{}, false, fmt.Errorf("%w: %d messages were sent, and %d have arrived", ErrLost, sent, p.seq)
		}
		return Ack{}, err == nil, nil
	}
	a, ok := ParseAck(msg.Reply)
	if !ok || a.ConsumerSeq != p.seq+1 {
		return Ack{}, false, fmt.Errorf("%w: messages are missing after the %dth", ErrLost, p.seq)
	}
	p.seq = a.ConsumerSeq
	return a, false, nil
}

// HeaderStalled is in a heartbeat while the server has messages that it holds back; its value is where to answer.
const HeaderStalled = "Nats-Consumer-Stalled"

func (p *Push) answer(control *nats.Msg) {
	// An answer that cannot be sent means that the connection is gone, and the consumer with it.
	if control.Reply != "" {
		_ = control.Respond(nil)
	}
	if stalled := control.Header.Get(HeaderStalled); stalled != "" {
		_ = p.on.Publish(stalled, nil)
	}
}

// Waiting returns the number of messages that have arrived and not been read.
func (p *Push) Waiting() int {
	waiting, _, _ := p.sub.Pending() // 0 for an ended subscription
	return max(0, waiting)
}

// Close deletes the consumer, without waiting. If that is not possible now, the server deletes it after consumerLife.
func (p *Push) Close() {
	if p.sub != nil {
		_ = p.sub.Unsubscribe() // on a closed connection there is nothing to end
	}
	if p.api.Link().IsUp() {
		_ = p.api.Publish(p.api.Subject(AskDelete+p.stream+"."+p.name), nil)
	}
}
