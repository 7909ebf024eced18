package source

import (
	"context"
	"encoding/json"
	"errors"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

type ack struct {
	stream                          string
	consumerSeq, streamSeq, pending uint64
	time                            int64
}

func parseAck(reply string) (ack, bool) {
	t := strings.Split(reply, ".")
	if len(t) < 9 || t[0] != "$JS" || t[1] != "ACK" {
		return ack{}, false
	}
	if len(t) >= 11 {
		t = t[2:]
	}
	var a ack
	a.stream = t[2]
	a.streamSeq, _ = strconv.ParseUint(t[5], 10, 64)
	a.consumerSeq, _ = strconv.ParseUint(t[6], 10, 64)
	a.time, _ = strconv.ParseInt(t[7], 10, 64)
	a.pending, _ = strconv.ParseUint(t[8], 10, 64)
	return a, true
}

type history struct {
	reads, requests api
	info            *jetstream.StreamInfo
	epoch           string
	d               decoder
}

func newHistory(reads, requests api, info *jetstream.StreamInfo, d decoder) *history {
	return &history{reads, requests, info, bridge.Epoch(info.Config.Name, info.Created), d}
}

func (h *history) update(*jetstream.StreamInfo) {}

func (h *history) Page(ctx context.Context, subjects []bridge.Subject, from, through uint64) (bridge.Page, error) {
	page := bridge.Page{Through: through}
	for _, s := range subjects {
		sub, err := h.reads.conn.SubscribeSync(h.reads.conn.NewInbox())
		if err != nil {
			return page, err
		}
		sub.SetPendingLimits(-1, -1)
		req, _ := json.Marshal(map[string]any{"seq": from, "batch": 1024, "next_by_subj": s})
		h.reads.conn.PublishRequest("$JS.API.DIRECT.GET."+h.info.Config.Name, sub.Subject, req)
		for {
			msg, err := sub.NextMsgWithContext(ctx)
			if err != nil {
				sub.Unsubscribe()
				return page, err
			}
			if msg.Header.Get("Nats-Stream") == "" {
				if p, _ := strconv.Atoi(msg.Header.Get("Nats-Num-Pending")); p > 0 {
					page.Through = page.Messages[len(page.Messages)-1].Position.Seq
				}
				break
			}
			seq, _ := strconv.ParseUint(msg.Header.Get("Nats-Sequence"), 10, 64)
			at, _ := time.Parse(time.RFC3339Nano, msg.Header.Get("Nats-Time-Stamp"))
			if seq > through {
				continue
			}
			page.Messages = append(page.Messages, h.d.decode(msg.Header.Get("Nats-Subject"), nil, msg.Data, bridge.Position{Epoch: h.epoch, Seq: seq, Time: at.UnixNano()}))
		}
		sub.Unsubscribe()
	}
	sort.Slice(page.Messages, func(i, j int) bool { return page.Messages[i].Position.Seq < page.Messages[j].Position.Seq })
	return page, nil
}

func (h *history) Newest(ctx context.Context, subjects []bridge.Subject, from, upTo uint64) (bridge.Page, error) {
	return bridge.Page{}, nats.ErrTimeout
}

func (h *history) Stored(ctx context.Context, seq uint64) (bridge.Position, uint64, error) {
	var answer struct {
		Message storedAt `json:"message"`
	}
	err := h.requests.call(ctx, "STREAM.MSG.GET."+h.info.Config.Name, msgGet{Seq: seq}, &answer)
	var refusal *jetstream.APIError
	if errors.As(err, &refusal) && refusal.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		var info jetstream.StreamInfo
		err = h.requests.call(ctx, "STREAM.INFO."+h.info.Config.Name, nil, &info)
		return bridge.Position{Epoch: h.epoch, Seq: seq}, info.State.LastSeq, err
	}
	return bridge.Position{Epoch: h.epoch, Seq: seq, Time: answer.Message.Time.UnixNano()}, seq, err
}

func (h *history) Since(ctx context.Context, t time.Time) (uint64, error) { return 1, nil }
