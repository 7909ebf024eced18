package history

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// lostBelow finds out what the stream's limits have removed. A client at or above the returned sequence has lost nothing up to
// through. lostBelow asks after the page was read, so it sees every earlier removal; a later one causes at most a needless gap.
//
// A limit of the whole stream removes messages below the stream's first sequence. The limit per subject removes messages below
// the oldest message of a subject that is full. A stream that keeps one message of each subject owes no older ones. Messages that
// were deleted, purged, or expired by their own time to live were not removed by a limit. If no sequence is missing, nothing was
// removed.
func (h *History) lostBelow(ctx context.Context, subjects []bridge.Subject, all []js.Entry, from, through uint64) (uint64, error) {
	hole := lastHole(all, through)
	if hole < from {
		_, err := h.info(ctx, "") // the stream must not have been replaced
		return from - 1, err
	}
	var counting bridge.Subject
	if len(subjects) == 1 && h.Decoder().Config.MaxMsgsPerSubject > 1 && !subjects[0].Wild() {
		counting = subjects[0] // counting one subject is cheap
	}
	info, err := h.info(ctx, counting)
	if err != nil {
		return 0, err
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

// isWhole reports whether a stream has every message from its first to its last.
func isWhole(s jetstream.StreamState) bool {
	return s.Msgs == s.LastSeq-s.FirstSeq+1
}

// lastHole returns the last sequence up to through whose message was not read.
func lastHole(all []js.Entry, through uint64) uint64 {
	for i := len(all) - 1; i >= 0 && all[i].Seq == through; i-- {
		through--
	}
	return through
}

// IsLimited reports whether a stream has limits that remove its oldest messages, on any subject.
func IsLimited(config *jetstream.StreamConfig) bool {
	return config.MaxMsgs > 0 || config.MaxBytes > 0 || config.MaxAge > 0
}

// lostOf is lostBelow for one filter; the stream's state was read after the page. That a position's own message was read
// proves nothing: unless one direct get returned everything, later messages may have been removed before they were read.
func (h *History) lostOf(ctx context.Context, filter bridge.Subject, info *jetstream.StreamInfo) (lost uint64, err error) {
	limit := uint64(max(info.Config.MaxMsgsPerSubject, 0))
	// A stream without such limits may have had them when it lost its first messages. If it keeps one message of each subject,
	// these were superseded.
	if info.State.FirstSeq > 0 && (IsLimited(&info.Config) || limit != 1) {
		lost = info.State.FirstSeq - 1
	}
	// If no sequence is missing inside the stream, the limit per subject has removed nothing there. If all messages together are
	// fewer than the limit, no subject is full.
	if limit <= 1 || isWhole(info.State) || info.State.Msgs < limit {
		return lost, nil
	}
	var below uint64
	if filter.Wild() {
		below, err = h.lostOfFull(ctx, filter, limit, info.State)
	} else {
		below, err = h.lostOfOne(ctx, filter, limit, info.State.Subjects)
	}
	return max(lost, below), err
}
