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
// owes no older ones. What was deleted, purged, or expired by its own time to live was not removed by a limit.
func (h *history) lostBelow(ctx context.Context, subjects []bridge.Subject, all []entry, from, through uint64) (uint64, error) {
	contiguous := isContiguous(all, from, through)
	var lost uint64
	for _, subject := range subjects {
		var filter bridge.Subject
		if !contiguous && h.keeps.Load() > 1 {
			filter = subject // its messages are to be counted
		}
		info, err := h.info(ctx, filter)
		if err == nil && !contiguous && filter == "" && info.Config.MaxMsgsPerSubject > 1 {
			info, err = h.info(ctx, subject)
		}
		if err != nil {
			return 0, err
		}
		if contiguous {
			return from - 1, nil
		}
		below, err := h.lostOf(ctx, subject, info, all, from)
		if err != nil {
			return 0, err
		}
		lost = max(lost, below)
	}
	return lost, nil
}

// isContiguous tells whether every message of the stream from one sequence to another was read.
func isContiguous(all []entry, from, through uint64) bool {
	return through >= from && uint64(len(all)) == through-from+1
}

// lostOf is lostBelow for one filter.
func (h *history) lostOf(ctx context.Context, filter bridge.Subject, info *jetstream.StreamInfo, all []entry, from uint64) (uint64, error) {
	config := info.Config
	limited := config.MaxMsgs > 0 || config.MaxBytes > 0 || config.MaxAge > 0
	var lost uint64
	if limited && info.State.FirstSeq > 0 {
		lost = info.State.FirstSeq - 1
	}
	if !filter.Wild() {
		return h.lostOfSubject(ctx, filter, info, all, from, lost)
	}
	if config.MaxMsgsPerSubject <= 1 {
		return lost, nil
	}
	looked := 0
	for subject, count := range info.State.Subjects {
		if count < uint64(config.MaxMsgsPerSubject) {
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

// lostOfSubject is lostOf for a concrete subject; byStream is what the limits of the whole stream may have removed.
func (h *history) lostOfSubject(ctx context.Context, subject bridge.Subject, info *jetstream.StreamInfo, all []entry, from, byStream uint64) (uint64, error) {
	limit := uint64(max(info.Config.MaxMsgsPerSubject, 0))
	atLimit := limit > 1 && info.State.Subjects[string(subject)] >= limit
	if !atLimit && byStream < from {
		return byStream, nil
	}
	for _, e := range all {
		if e.subject == string(subject) {
			if e.seq == from {
				return from - 1, nil // it is still there: nothing behind it was removed
			}
			break
		}
	}
	oldest, err := h.get(ctx, msgGet{Seq: 1, NextFor: subject})
	switch {
	case err != nil:
		return 0, err
	case oldest.Seq == 0: // whatever there was is gone
		return byStream, nil
	case atLimit:
		return oldest.Seq - 1, nil
	default:
		return min(byStream, oldest.Seq-1), nil
	}
}
