package source

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// lostBelow finds out what the stream's limits have removed: to whoever stands at or above the sequence it gives, nothing
// of (that place, through] is missing but what all holds. It asks after the reading, so that what was removed before is
// found; what is removed later costs at most a false alarm.
//
// What was removed by a limit of the whole stream is below its first sequence; what was removed by the limit for each
// subject is below the oldest message of a subject that is at this limit. A stream that keeps one message for each subject
// owes no older ones. What was deleted, purged, or expired by its own time to live was not removed by a limit. And where
// there is no hole, nothing was removed at all.
func (h *history) lostBelow(ctx context.Context, subjects []bridge.Subject, all []entry, from, through uint64) (uint64, error) {
	hole := lastHole(all, through)
	var lost uint64
	for _, subject := range subjects {
		var filter bridge.Subject
		if hole >= from && h.keeps.Load() > 1 {
			filter = subject // its messages are to be counted
		}
		info, err := h.info(ctx, filter)
		if err == nil && hole >= from && filter == "" && info.Config.MaxMsgsPerSubject > 1 {
			info, err = h.info(ctx, subject)
		}
		if err != nil {
			return 0, err
		}
		if hole < from {
			return from - 1, nil
		}
		below, err := h.lostOf(ctx, info)
		if err != nil {
			return 0, err
		}
		if info.State.FirstSeq > 0 && info.State.Msgs == info.State.LastSeq-info.State.FirstSeq+1 {
			hole = min(hole, info.State.FirstSeq-1)
		}
		lost = max(lost, below)
	}
	return min(lost, hole), nil
}

// lastHole gives the last sequence up to through whose message was not read.
func lastHole(all []entry, through uint64) uint64 {
	for i := len(all) - 1; i >= 0 && all[i].seq == through; i-- {
		through--
	}
	return through
}

// isLimited tells whether a stream has limits that remove its oldest messages, of whatever subject.
func isLimited(config jetstream.StreamConfig) bool {
	return config.MaxMsgs > 0 || config.MaxBytes > 0 || config.MaxAge > 0
}

// lostOf is lostBelow for one filter, whose messages info counts. That the message of a position was read proves nothing:
// unless one direct get gave all, those that follow it may have been removed before their turn came.
func (h *history) lostOf(ctx context.Context, info *jetstream.StreamInfo) (uint64, error) {
	limit := uint64(max(info.Config.MaxMsgsPerSubject, 0))
	var lost uint64
	// A stream that has no such limits may have had them when it lost its first messages. Where it keeps one message for
	// each subject, they were superseded.
	if info.State.FirstSeq > 0 && (isLimited(info.Config) || limit != 1) {
		lost = info.State.FirstSeq - 1
	}
	if limit <= 1 {
		return lost, nil
	}
	looked := 0
	for subject, count := range info.State.Subjects {
		if count < limit {
			continue
		}
		if looked++; looked > maxAtLimit {
			return info.State.LastSeq, nil
		}
		oldest, err := h.get(ctx, msgGet{Seq: 1, NextFor: bridge.Subject(subject)})
		if err != nil {
			return 0, err
		}
		if oldest.Seq > 0 {
			lost = max(lost, oldest.Seq-1)
		}
	}
	return lost, nil
}
