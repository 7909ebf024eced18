package js

import (
	"cmp"
	"context"
	"encoding/json"
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
	// LostAfter is the time without a sign of a consumer after which it counts as lost.
	LostAfter = 3 * Heartbeat
	// windowBytes is how much of a consumer's messages is on the way at most, as a server counts, if no message is larger.
	windowBytes = 4 << 20
	// pullPending is how many bytes may wait in the subscription: more than is asked for, even of the largest messages. Somebody
	// else who may use JetStream could ask in the consumer's name. Messages beyond are dropped, and read again.
	pullPending = 192 << 20
	// consumerLife is how long the server keeps the consumer of a process that is gone.
	consumerLife = 30 * time.Second
	// requestLife is how long the server keeps a request for messages that have not come. The next one takes a round trip.
	requestLife = 10 * time.Minute
	// unheardWait is the wait before it asks again a consumer that the server does not know of yet.
	unheardWait = 10 * time.Millisecond
)

// Pull is a pull consumer without acknowledgements, whose messages arrive at an inbox of this process. It asks for a window of
// bytes, and for more when half of it has been read. So what is on the way is bounded, however much is stored: flow control of a
// push consumer lets 32 MiB wait, which small messages multiply in this process, and the server ends a connection with 64 MiB.
//
// A consumer that delivers the last message of each subject passes over one that does not fit into the bytes that were asked for
// (nats-server 2.15). So such a consumer is asked for a number of messages instead.
//
// nats.go's own types are not used: they mistake a message with a Status header for the server's, and anyone can publish one.
// Here, a message on the bare inbox subject is the server's; every other one is a message of the stream, and its reply subject
// describes it.
type Pull struct {
	api    API
	on     *Conn // the connection on which it asks, and receives
	stream string
	inbox  string
	name   string
	since  Moment // it was made since
	sub    *nats.Subscription

	heartbeat time.Duration
	isCount   bool // the window is of messages, not of bytes
	most      int  // messages for which one request may ask; 0 for any number
	made      time.Time

	// These belong to Take once Make has returned.
	seq    uint64 // the consumer's number of the last message
	window int    // how much is on the way at most
	due    int    // how much was asked for and has not arrived
	last   int    // how much the last request asked for
}

// NewPull returns a consumer that is not made yet.
func (a API) NewPull(on *Conn, stream string) *Pull {
	inbox := on.NATS().NewInbox()
	name := inbox[strings.LastIndexByte(inbox, '.')+1:]
	return &Pull{api: a, on: on, stream: stream, inbox: inbox, name: name, since: on.Link().Now()}
}

// Subscribe makes the subscription; receive is called for every message, from one goroutine.
func (p *Pull) Subscribe(receive func(*nats.Msg)) (err error) {
	if p.sub, err = p.on.NATS().Subscribe(p.inbox, receive); err != nil {
		return fmt.Errorf("subscribe to the inbox of a consumer: %w", err)
	}
	_ = p.sub.SetPendingLimits(-1, pullPending) // an open subscription returns no error
	return nil
}

// Make makes the consumer, in memory, on one server, within the limits of its stream, and asks for its first messages. Of the configuration,
// Heartbeat and MaxRequestBatch are those of its requests: with the latter, that many messages are on the way at most, and any number of bytes.
// Make returns the number of messages to deliver.
func (p *Pull) Make(ctx context.Context, config nats.ConsumerConfig, limits jetstream.StreamConsumerLimits) (pending uint64, err error) {
	p.heartbeat, config.Heartbeat = cmp.Or(config.Heartbeat, Heartbeat), 0
	p.isCount = config.MaxRequestBatch > 0
	p.window, config.MaxRequestBatch = cmp.Or(config.MaxRequestBatch, windowBytes), 0
	config.Name = p.name
	config.AckPolicy = nats.AckNonePolicy
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
		Config  struct {
			MaxBatch int `json:"max_batch"` // a limit of the server
		} `json:"config"`
	}
	if err := p.api.Call(ctx, what, request, &made); err != nil {
		return 0, err
	}
	p.most, p.made = made.Config.MaxBatch, time.Now()
	if err := p.ask(); err != nil {
		return 0, fmt.Errorf("ask a consumer for messages: %w", err)
	}
	return made.Pending, nil
}

// Prove returns an error if NATS has refused the subscription, or does not let the bridge ask for messages: then it wraps bridge.ErrRefused. nats.go
// reports a second refusal for too many subscriptions by the same error as the first; a barrier proves that it has reported all.
func (p *Pull) Prove(ctx context.Context) error {
	answered := p.on.RoundTrip(ctx) && (p.since.limit == 0 || p.on.PassBarrier(ctx))
	switch {
	case p.isRefused():
		return errRefusedPull
	case p.since.SubscribeRefused(p.inbox):
		return fmt.Errorf("subscribe to the inbox of a consumer: %w", bridge.ErrRefused)
	case p.sub != nil && p.since.LimitReached():
		return fmt.Errorf("subscribe to the inbox of a consumer: %w", nats.ErrMaxSubscriptionsExceeded)
	case !answered:
		return fmt.Errorf("ask a consumer for messages: %w", cmp.Or(context.Cause(ctx), nats.ErrDisconnected))
	}
	return nil
}

var errRefusedPull = fmt.Errorf("ask a consumer for messages: %w", bridge.ErrRefused)

// next returns the subject on which it asks for messages.
func (p *Pull) next() string { return p.api.Subject(AskNext + p.stream + "." + p.name) }

// isRefused reports whether NATS does not let the bridge ask for messages.
func (p *Pull) isRefused() bool { return p.api.IsRefused(p.since, p.next()) }

// MayCome reports whether a sign of the consumer has arrived late, or still may.
func (p *Pull) MayCome(ctx context.Context) bool {
	before, _ := p.sub.Delivered()
	return p.on.mayCome(ctx, func() bool {
		now, _ := p.sub.Delivered() // an ended subscription has none
		return now > before || p.Waiting() > 0
	})
}

// Silent returns the error for a consumer that was not heard of for LostAfter.
func (p *Pull) Silent() error {
	if p.isRefused() {
		return errRefusedPull
	}
	return fmt.Errorf("%w: no sign of it for %v", ErrLost, LostAfter)
}

// ask asks for messages when half of the window has arrived.
func (p *Pull) ask() error {
	if p.due > p.window/2 {
		return nil
	}
	request := struct {
		Messages  int           `json:"batch"`
		Bytes     int           `json:"max_bytes,omitempty"`
		Expires   time.Duration `json:"expires"`
		Heartbeat time.Duration `json:"idle_heartbeat"`
	}{Messages: p.window - max(0, p.due), Expires: requestLife, Heartbeat: p.heartbeat}
	if !p.isCount {
		request.Bytes = request.Messages // no message has less than a byte
	}
	if p.most > 0 {
		request.Messages = min(request.Messages, p.most)
	}
	p.last = cmp.Or(request.Bytes, request.Messages)
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	p.due += p.last
	return p.on.NATS().PublishRequest(p.next(), p.inbox, body)
}

// ErrLost means that a consumer is gone, or that its messages are missing.
var ErrLost = errors.New("a consumer was lost")

// Take reads an arrived message, in order, and asks for more when it is time. It returns the message's position in the stream, or
// the zero value for a control message of the server. isIdle means that the server has sent everything. The error is ErrLost if
// messages are missing.
func (p *Pull) Take(msg *nats.Msg) (a Ack, isIdle bool, err error) {
	if msg.Subject == p.inbox {
		isIdle, err = p.takeStatus(msg.Header)
		return Ack{}, isIdle, err
	}
	a, ok := ParseAck(msg.Reply)
	if !ok || a.ConsumerSeq != p.seq+1 {
		return Ack{}, false, fmt.Errorf("%w: messages are missing after the %dth", ErrLost, p.seq)
	}
	p.seq = a.ConsumerSeq
	if p.isCount {
		p.due--
	} else {
		p.window = windowBytes
		p.due -= msg.Size() // as a server counts: subjects, headers, data
	}
	return a, false, p.ask()
}

// takeStatus reads a control message of the server: a heartbeat, or the end of a request.
func (p *Pull) takeStatus(is nats.Header) (isIdle bool, err error) {
	if sent, err := strconv.ParseUint(is.Get("Nats-Last-Consumer"), 10, 64); err == nil {
		if sent != p.seq {
			return false, fmt.Errorf("%w: %d messages were sent, and %d have arrived", ErrLost, sent, p.seq)
		}
		return true, nil
	}
	status := is.Get("Status")
	if status == statusNobody && p.seq == 0 && time.Since(p.made) < LostAfter {
		// The consumer is on another server of the cluster, and where it listens has not been heard of here.
		time.Sleep(unheardWait) // nothing else can arrive
		p.due = 0
		return false, p.ask()
	}
	unused, err := strconv.Atoi(is.Get(p.pending()))
	if err != nil { // no end of a request, but of the consumer
		return false, fmt.Errorf("%w: %s %s", ErrLost, status, is.Get("Description"))
	}
	p.due -= unused
	if unused == p.last && status == statusConflict {
		p.window = max(p.window, 2*unused) // the next message is larger
	}
	return false, p.ask()
}

// pending returns the header with what has not arrived of a request that has ended.
func (p *Pull) pending() string {
	if p.isCount {
		return "Nats-Pending-Messages"
	}
	return "Nats-Pending-Bytes"
}

// statusNobody says that no consumer listens. statusConflict ends a request whose remaining bytes are too few for the next message.
const (
	statusNobody   = "503"
	statusConflict = "409"
)

// Waiting returns the number of messages that have arrived and not been read.
func (p *Pull) Waiting() int {
	waiting, _, _ := p.sub.Pending() // 0 for an ended subscription
	return max(0, waiting)
}

// Close deletes the consumer, without waiting. If that is not possible now, the server deletes it after consumerLife.
func (p *Pull) Close() {
	if p.sub != nil {
		_ = p.sub.Unsubscribe() // on a closed connection there is nothing to end
	}
	if p.api.Link().IsUp() {
		_ = p.api.NATS().Publish(p.api.Subject(AskDelete+p.stream+"."+p.name), nil)
	}
}
