package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/tailwater/tailwater/bridge"
)

// Newest implements bridge.Log.
func (h *history) Newest(ctx context.Context, subjects []bridge.Subject, from, upTo uint64) (bridge.Page, error) {
	page, err := h.newest(ctx, subjects, from, upTo)
	if err == nil {
		_, err = h.info(ctx, "")
	}
	if err != nil {
		return bridge.Page{}, fmt.Errorf("read the newest messages of the stream %s: %w", h.name, err)
	}
	return page, nil
}

func (h *history) newest(ctx context.Context, subjects []bridge.Subject, from, upTo uint64) (bridge.Page, error) {
	if of := h.listings.get(subjects); upTo != 0 && of != nil && of.upTo >= upTo {
		return h.newestOf(ctx, of, from, upTo) // they were too many for a direct get before
	}
	for wait := staleWait; h.canGet(); wait *= 2 {
		batch, err := h.batch(ctx, batchGet{Seq: from, MultiLast: subjects, UpToSeq: upTo, Batch: pageMessages, MaxBytes: pageBytes})
		if errors.Is(err, errTooMany) {
			break
		}
		if err != nil {
			return bridge.Page{}, err
		}
		asOf := cmp.Or(upTo, batch.upTo)
		if asOf == 0 {
			asOf, err = h.nothingUpTo(ctx, subjects)
			return bridge.Page{Through: asOf, UpTo: asOf}, err
		}
		page := bridge.Page{Messages: h.decode(batch.found), Through: asOf, UpTo: asOf}
		last := from
		if n := len(batch.found); n > 0 {
			last = batch.found[n-1].seq
		}
		if batch.pending > 0 {
			page.Through = last
			return page, nil
		}
		// Asked as of a sequence that another has told, a replica that lags leaves out what it does not have yet.
		missed, err := h.next(ctx, subjects, last+1)
		if err != nil || upTo == 0 || missed > upTo {
			return page, err
		}
		if err := sleep(ctx, wait); err != nil {
			return bridge.Page{}, fmt.Errorf("a replica has not caught up with sequence %d: %w", missed, err)
		}
	}
	return h.newestByListing(ctx, subjects, from, upTo)
}

// nothingUpTo gives a sequence up to which nothing is stored on the subjects.
func (h *history) nothingUpTo(ctx context.Context, subjects []bridge.Subject) (uint64, error) {
	info, err := h.info(ctx, "")
	if err != nil {
		return 0, err
	}
	first, err := h.next(ctx, subjects, 1)
	return min(info.State.LastSeq, first-1), err
}

// next gives the sequence of the first message on the subjects from one on, as the leader knows it; the highest there is
// where there is none.
func (h *history) next(ctx context.Context, subjects []bridge.Subject, from uint64) (uint64, error) {
	var first uint64 = math.MaxUint64
	for _, subject := range subjects {
		found, err := h.get(ctx, msgGet{Seq: from, NextFor: subject})
		if err != nil {
			return 0, err
		}
		if found.Seq > 0 {
			first = min(first, found.Seq)
		}
	}
	return first, nil
}
