package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/source/js"
)

// atOnce is how many messages are asked for at once, one by one.
const atOnce = 64

// fetch reads the messages of some sequences, as many as are there. Whatever a replica does not have, the leader is asked for.
func (h *history) fetch(ctx context.Context, seqs []uint64) ([]entry, error) {
	found := make([]entry, len(seqs))
	if h.canGet() {
		if err := h.getEach(ctx, seqs, found); err != nil {
			return nil, err
		}
	}
	errs := make([]error, len(seqs))
	each(missing(found), func(i int) { found[i], errs[i] = h.entry(ctx, seqs[i]) })
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(e entry) bool { return e.seq == 0 }), nil
}

// missing gives the places that are empty.
func missing(found []entry) (places []int) {
	for i := range found {
		if found[i].seq == 0 {
			places = append(places, i)
		}
	}
	return places
}

// getEach reads them by direct gets into found, which stays empty where there is none.
func (h *history) getEach(ctx context.Context, seqs []uint64, found []entry) error {
	answers := make(chan *nats.Msg, len(seqs))
	reads := h.conn()
	inbox := reads.NewInbox() + "."
	sub, err := reads.ChanSubscribe(inbox+"*", answers)
	if err != nil {
		return fmt.Errorf("subscribe to answers: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	for i, seq := range seqs {
		body, err := json.Marshal(js.MsgGet{Seq: seq})
		if err == nil {
			err = reads.PublishRequest(h.api.Subject(js.AskDirect+h.name), inbox+strconv.Itoa(i), body)
		}
		if err != nil {
			return fmt.Errorf("ask for a message: %w", err)
		}
	}
	silence := time.NewTimer(js.TryTime)
	defer silence.Stop()
	for range seqs {
		select {
		case msg := <-answers:
			if !isGiven(msg.Header, blockSize(msg), h.name) {
				continue // there is none, or the leader is asked
			}
			e, err := stripped(msg)
			i, atErr := strconv.Atoi(strings.TrimPrefix(msg.Subject, inbox))
			if err != nil || atErr != nil || i < 0 || i >= len(seqs) || e.seq != seqs[i] {
				return fmt.Errorf("a direct get gives message %d, which was not asked for: %w", e.seq, err)
			}
			found[i] = e
			silence.Reset(js.TryTime)
		case <-silence.C:
			return nil // the leader is asked
		case <-ctx.Done():
			return fmt.Errorf("wait for messages: %w", ctx.Err())
		}
	}
	return nil
}

// entry asks the leader for the message of a sequence; the zero value says that there is none.
func (h *history) entry(ctx context.Context, seq uint64) (entry, error) {
	at, err := h.get(ctx, js.MsgGet{Seq: seq})
	if err != nil || at.Seq != seq {
		return entry{}, err
	}
	return entryAt(at), nil
}

// entryAt is what the leader says of a message.
func entryAt(at js.StoredAt) entry {
	e := entry{seq: at.Seq, time: at.Time.UnixNano(), subject: at.Subject, data: at.Data}
	if len(at.Header) > 0 {
		var err error
		e.header, err = nats.DecodeHeadersMsg(at.Header)
		e.broken = err != nil
	}
	return e
}
