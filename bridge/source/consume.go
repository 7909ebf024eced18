package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// creation asks for a consumer.
type creation struct {
	Stream string              `json:"stream_name"`
	Config nats.ConsumerConfig `json:"config"`
	Action string              `json:"action"`
}

// createConsumer is where to ask for it.
func createConsumer(stream string, config nats.ConsumerConfig) string {
	what := js.AskConsumer + stream + "." + config.Name
	// A server that finds the filter in the subject checks permissions by it. It closes the connection over a line that is too
	// long, though, and takes the filter from the configuration alone as well.
	if config.FilterSubject != "" && len(config.FilterSubject) <= bridge.MaxSubjectBytes {
		what += "." + config.FilterSubject
	}
	return what
}

// pushing completes a consumer that pushes messages to an inbox, and needs no acknowledgement for them. It lives in memory
// on one server, and not for long without its reader.
func pushing(config nats.ConsumerConfig, inbox string) nats.ConsumerConfig {
	config.Name = inbox[strings.LastIndexByte(inbox, '.')+1:]
	config.DeliverSubject = inbox
	config.AckPolicy = nats.AckNonePolicy
	config.FlowControl = true
	config.Heartbeat = cmp.Or(config.Heartbeat, tapHeartbeat)
	config.InactiveThreshold = consumerLife
	config.Replicas = 1
	config.MemoryStorage = true
	return config
}

// answer does what the server asks for on a consumer's inbox, so that it goes on sending.
func answer(conn *js.Conn, control *nats.Msg) {
	// What cannot be sent means that the connection is gone, and the consumer with it.
	if control.Reply != "" {
		_ = control.Respond(nil)
	}
	if stalled := control.Header.Get("Nats-Consumer-Stalled"); stalled != "" {
		_ = conn.Publish(stalled, nil)
	}
}

// errLost: a consumer is gone, or what it has sent.
var errLost = errors.New("a consumer was lost")

// consume reads messages by a consumer that is deleted again. It hands over those that were there when the consumer was made,
// until take reports that it wants no more, and returns how many these were. Some of them may be gone by now: whenever the
// server has nothing to send for a while, it goes on only if quiet, where there is one, returns true.
func (h *history) consume(ctx context.Context, config nats.ConsumerConfig, take func(entry) bool, quiet func() bool) (pending uint64, err error) {
	select {
	case h.consumers <- struct{}{}:
		defer func() { <-h.consumers }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	reads := h.conn()
	inbox := reads.NewInbox()
	incoming := make(chan *nats.Msg, incomingBuffer)
	sub, err := reads.ChanSubscribe(inbox, incoming)
	if err != nil {
		return 0, fmt.Errorf("subscribe to the inbox of a consumer: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	config = limited(*h.limits.Load(), pushing(config, inbox))
	var made struct {
		Pending uint64 `json:"num_pending"`
	}
	if err := h.api.Call(ctx, createConsumer(h.name, config), creation{h.name, config, "create"}, &made); err != nil {
		return 0, err
	}
	defer func() { _ = h.api.Publish(h.api.Subject(js.AskDelete+h.name+"."+config.Name), nil) }()
	silence := time.NewTimer(tapSilence)
	defer silence.Stop()
	for taken, more := uint64(0), true; more && (taken < made.Pending || quiet != nil); {
		select {
		case msg := <-incoming:
			silence.Reset(tapSilence)
			if msg.Subject == inbox {
				answer(reads, msg)
				if isQuiet(msg, taken) && (quiet == nil || !quiet()) {
					return taken, nil
				}
				continue
			}
			a, ok := js.ParseAck(msg.Reply)
			if taken++; !ok || a.ConsumerSeq != taken {
				return 0, fmt.Errorf("%w: it leaves out messages behind the %dth", errLost, taken-1)
			}
			more = take(entry{a.StreamSeq, a.Time, msg.Subject, msg.Header, msg.Data, isBroken(msg)})
		case <-silence.C:
			return 0, fmt.Errorf("%w: nothing was heard of it for %v", errLost, tapSilence)
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for messages: %w", ctx.Err())
		}
	}
	return made.Pending, nil
}

// isQuiet reports whether a server says by a heartbeat that it has sent no more than was taken.
func isQuiet(control *nats.Msg, taken uint64) bool {
	return control.Header.Get("Nats-Last-Consumer") == strconv.FormatUint(taken, 10)
}
