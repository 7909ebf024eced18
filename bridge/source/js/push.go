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
	// Heartbeat is how often the server says, in silence, how far a consumer has got.
	Heartbeat = 500 * time.Millisecond
	// Deaf is how long nothing may come before a consumer is taken for lost.
	Deaf = 3 * Heartbeat
	// pushPending is how many bytes may wait to be taken. The server's flow control keeps well below; what comes beyond
	// is dropped, and read again.
	pushPending = 64 << 20
	// consumerLife is how long the server keeps a consumer whose process is gone.
	consumerLife = 30 * time.Second
)

// Push is a push consumer on an inbox of this process, which needs no acknowledgements. nats.go's own types for that are not used: they
// take a message with a Status header for a word of the server, and anyone can publish one. Here, what arrives on the bare
// inbox subject is the server's word; everything else is a message, and what there is to know about it stands in its reply subject.
type Push struct {
	api    API
	on     *Conn // that it delivers to
	stream string
	inbox  string
	name   string
	sub    *nats.Subscription
	seq    uint64 // of the last message, as the consumer counts; belongs to Take
}

// NewPush returns a consumer that is to be made.
func (a API) NewPush(on *Conn, stream string) *Push {
	inbox := on.NewInbox()
	return &Push{api: a, on: on, stream: stream, inbox: inbox, name: inbox[strings.LastIndexByte(inbox, '.')+1:]}
}

// Inbox is the subject that it delivers to.
func (p *Push) Inbox() string { return p.inbox }

// Subscribe makes receive be called for all that arrives, from one goroutine.
func (p *Push) Subscribe(receive func(*nats.Msg)) (err error) {
	if p.sub, err = p.on.Subscribe(p.inbox, receive); err != nil {
		return fmt.Errorf("subscribe to the inbox of a consumer: %w", err)
	}
	_ = p.sub.SetPendingLimits(-1, pushPending) // there is no error for a subscription that is open
	return nil
}

// Make makes the consumer, in memory on one server, within what its stream allows. call is API.Call, or does more. It returns how many
// messages there are to deliver.
func (p *Push) Make(ctx context.Context, call Caller, config nats.ConsumerConfig, limits jetstream.StreamConsumerLimits) (pending uint64, err error) {
	config.Name, config.DeliverSubject = p.name, p.inbox
	config.AckPolicy = nats.AckNonePolicy
	config.FlowControl = !p.on.Link().IsStalling() // else it would stop, and wait for an answer that NATS refuses
	config.Heartbeat = cmp.Or(config.Heartbeat, Heartbeat)
	config.InactiveThreshold = consumerLife
	if limits.InactiveThreshold > 0 {
		config.InactiveThreshold = min(consumerLife, limits.InactiveThreshold)
	}
	if limits.MaxAckPending > 0 {
		config.MaxAckPending = -1 // it must not get the stream's limit as its own
	}
	config.Replicas, config.MemoryStorage = 1, true
	what := AskConsumer + p.stream + "." + p.name
	// A server that finds the filter in the subject checks permissions by it. It closes the connection over a line that is too
	// long, though, and takes the filter from the configuration alone as well.
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

// ErrLost means that a consumer is gone, or what it has sent.
var ErrLost = errors.New("a consumer was lost")

// Take reads what has arrived, in order. It returns where a message is in the stream; or the zero value for a word of the server, which it
// answers so that the server goes on sending. isIdle says that the server has sent all there is. The error is ErrLost if
// messages are missing.
func (p *Push) Take(msg *nats.Msg) (a Ack, isIdle bool, err error) {
	if msg.Subject == p.inbox {
		p.answer(msg)
		sent, err := strconv.ParseUint(msg.Header.Get("Nats-Last-Consumer"), 10, 64)
		if err == nil && sent != p.seq {
			return Ack{}, false, fmt.Errorf("%w: it has sent %d messages, and %d have come", ErrLost, sent, p.seq)
		}
		return Ack{}, err == nil, nil
	}
	a, ok := ParseAck(msg.Reply)
	if !ok || a.ConsumerSeq != p.seq+1 {
		return Ack{}, false, fmt.Errorf("%w: it leaves out messages behind the %dth", ErrLost, p.seq)
	}
	p.seq = a.ConsumerSeq
	return a, false, nil
}

func (p *Push) answer(control *nats.Msg) {
	// What cannot be sent means that the connection is gone, and the consumer with it.
	if control.Reply != "" {
		_ = control.Respond(nil)
	}
	if stalled := control.Header.Get("Nats-Consumer-Stalled"); stalled != "" {
		_ = p.on.Publish(stalled, nil)
	}
}

// Waiting returns how many messages have arrived and are not taken.
func (p *Push) Waiting() int {
	waiting, _, _ := p.sub.Pending() // 0 for a subscription that has ended
	return max(0, waiting)
}

// Close ends the consumer. It does not wait: if it cannot be deleted now, the server will do so after a while.
func (p *Push) Close() {
	if p.sub != nil {
		_ = p.sub.Unsubscribe() // of a connection that is closed there is nothing to end
	}
	if p.api.Link().IsUp() {
		_ = p.api.Publish(p.api.Subject(AskDelete+p.stream+"."+p.name), nil)
	}
}
