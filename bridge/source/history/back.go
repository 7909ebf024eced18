package history

import (
	"context"
	"fmt"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Back implements bridge.Log.
func (h *History) Back(ctx context.Context, subjects []bridge.Subject, upTo uint64, most int) ([]bridge.Position, error) {
	found, err := h.back(ctx, subjects, upTo, min(most, pageMessages))
	if err != nil {
		return nil, fmt.Errorf("read the stream %s backwards from sequence %d: %w", h.name, upTo, err)
	}
	positions := make([]bridge.Position, len(found))
	for i, e := range found {
		positions[i] = bridge.Position{Epoch: h.epoch, Seq: e.Seq, Time: e.Time}
	}
	return positions, nil
}

func (h *History) back(ctx context.Context, subjects []bridge.Subject, upTo uint64, most int) (all []js.Entry, err error) {
	info, err := h.info(ctx, "")
	if err != nil {
		return nil, err
	}
	from := max(1, info.State.FirstSeq)
	upTo = min(upTo, info.State.LastSeq)
	for _, subject := range subjects {
		found, err := h.backOn(ctx, subject, from, upTo, most)
		if err != nil {
			return nil, err
		}
		isFull := false
		if all, isFull = newest(merge(append(all, found...), upTo), most); isFull {
			from = all[0].Seq
		}
	}
	return all, nil
}

// backOn returns the newest messages on a filter in [from, upTo]. A stream is read forwards only. So it is read in windows, one before the
// other: each is four times as wide as the last, and is cut in half as often as one read does not reach its end.
func (h *History) backOn(ctx context.Context, filter bridge.Subject, from, upTo uint64, most int) (found []js.Entry, err error) {
	oldest, err := h.next(ctx, []bridge.Subject{filter}, from)
	if err != nil {
		return nil, err
	}
	top, width := upTo, uint64(most) // what lies above top was read
	low := uint64(0)                 // a read that begins at low, or below, does not reach top
	for isFull := false; !isFull && top >= oldest; {
		begin := max(oldest, low+1, top-min(top, width-1))
		some, reached, err := h.stretch(ctx, filter, begin, top, ends{})
		if err != nil {
			return nil, err
		}
		if reached < top {
			low, width = reached, (top-reached+1)/2
			continue
		}
		found, isFull = newest(merge(append(some, found...), upTo), most)
		top, width = begin-1, 4*min(width, top)
		if low >= top {
			low = 0
		}
	}
	return found, nil
}

// newest returns the last of some messages: as many as most, or as one page holds, and at least one. isFull reports that older messages
// do not matter.
func newest(all []js.Entry, most int) (last []js.Entry, isFull bool) {
	size := 0
	for i := len(all) - 1; i >= 0; i-- {
		last = all[i:]
		if size += all[i].Size(); len(last) >= most || size >= pageBytes {
			return last, true
		}
	}
	return all, false
}
