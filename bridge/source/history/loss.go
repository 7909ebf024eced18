package history

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// lostBelow finds out what the stream's limits have removed: to whoever stands at or above the sequence it gives, nothing
// of (that place, through] is missing but what all holds. It asks after the reading, so that what was removed before is
// found; what is removed later costs at most a false alarm.
//
// What was removed by a limit of the whole stream is below its first sequence; what was removed by the limit for each
// subject is below the oldest message of a subject that is at this limit. A stream that keeps one message for each subject
// owes no older ones. What was deleted, purged, or expired by its own time to live was not removed by a limit. And where
// there is no hole, nothing was removed at all.
func (h *History) lostBelow(ctx context.Context, subjects []bridge.Subject, all []js.Entry, from, through uint64) (uint64, error) {
	hole := lastHole(all, through)
	if hole < from {
		_, err := h.info(ctx, "") // it must be this life of the stream
		return from - 1, err
	}
	var counting bridge.Subject
	if len(subjects) == 1 && h.keeps.Load() > 1 && !subjects[0].Wild() {
		counting = subjects[0] // to count one subject costs next to nothing
	}
	info, err := h.info(ctx, counting)
	if err != nil {
		return 0, err
	}
	if isWhole(info.State) {
		hole = min(hole, info.State.FirstSeq-1)
	}
	var lost uint64
	for _, subject := range subjects {
		below, err := h.lostOf(ctx, subject, info)
		if err != nil {
			return 0, err
		}
		lost = max(lost, below)
	}
	return min(lost, hole), nil
}

// isWhole tells whether a stream has every message from its first to its last.
func isWhole(s jetstream.StreamState) bool {
	return s.FirstSeq > 0 && s.Msgs == s.LastSeq-s.FirstSeq+1
}

// lastHole gives the last sequence up to through whose message was not read.
func lastHole(all []js.Entry, through uint64) uint64 {
	for i := len(all) - 1; i >= 0 && all[i].Seq == through; i-- {
		through--
	}
	return through
}

// IsLimited reports whether a stream has limits that remove its oldest messages, of whatever subject.
func IsLimited(config jetstream.StreamConfig) bool {
	return config.MaxMsgs > 0 || config.MaxBytes > 0 || config.MaxAge > 0
}

// lostOf is lostBelow for one filter, of a stream that was asked for after the reading. That the message of a position was read proves
// nothing: unless one direct get gave all, those that follow it may have been removed before their turn came.
func (h *History) lostOf(ctx context.Context, filter bridge.Subject, info *jetstream.StreamInfo) (lost uint64, err error) {
	limit := uint64(max(info.Config.MaxMsgsPerSubject, 0))
	// A stream that has no such limits may have had them when it lost its first messages. Where it keeps one message for
	// each subject, they were superseded.
	if info.State.FirstSeq > 0 && (IsLimited(info.Config) || limit != 1) {
		lost = info.State.FirstSeq - 1
	}
	// The limit for each subject has removed nothing from the midst of a stream without holes, and no subject is full where
	// all together are not.
	if limit <= 1 || isWhole(info.State) || info.State.Msgs < limit {
		return lost, nil
	}
	var below uint64
	if filter.Wild() {
		below, err = h.lostOfFull(ctx, filter, limit, info.State)
	} else {
		below, err = h.lostOfOne(ctx, filter, limit, info)
	}
	return max(lost, below), err
}
