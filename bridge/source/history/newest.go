package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Newest implements bridge.Log.
func (h *History) Newest(ctx context.Context, subjects []bridge.Subject, from, upTo uint64) (bridge.Page, error) {
	page, err := h.newest(ctx, subjects, from, upTo)
	if err == nil {
		_, err = h.info(ctx, "")
	}
	if err != nil {
		return bridge.Page{}, fmt.Errorf("read the newest messages of the stream %s: %w", h.name, err)
	}
	return page, nil
}

// newest reads few messages by one request, and many by sweeps. A stream that keeps only the newest messages is not read page by
// page: a server would count all subjects of the filter for each page.
func (h *History) newest(ctx context.Context, subjects []bridge.Subject, from, upTo uint64) (bridge.Page, error) {
	if h.canGet() && !h.isMany(subjects) {
		until := h.api.Tries()
		page, err := h.newestAtOnce(ctx, subjects, from, upTo)
		// A silent replica may still be counting. It is not asked again: it would count again, and serve nobody from the stream
		// meanwhile.
		if !errors.Is(err, js.ErrTooMany) && !errors.Is(err, js.ErrNotDirect) && !errors.Is(err, js.ErrSilent) {
			return page, err
		}
		h.many.put(fmt.Sprint(subjects), until)
	}
	if upTo == 0 {
		info, err := h.info(ctx, "")
		if err != nil {
			return bridge.Page{}, err
		}
		upTo = info.State.LastSeq
	}
	page := bridge.Page{Through: upTo, UpTo: upTo}
	var all []js.Entry
	for _, subject := range subjects {
		if from > page.Through {
			break
		}
		found, reached, err := h.newestOf(ctx, subject, from, page.Through, upTo)
		if err != nil {
			return bridge.Page{}, err
		}
		all = append(all, found...)
		page.Through = min(page.Through, reached)
	}
	page.Messages = h.decode(merge(all, page.Through))
	return page, nil
}

// isMany reports whether filters had too many subjects for one direct get, because finding that out again costs a server as much as the
// answer would. It is forgotten with a new leader or connection, when its channel closes: a silent server may have been dead.
func (h *History) isMany(filters []bridge.Subject) bool {
	until := h.many.get(fmt.Sprint(filters))
	select {
	case <-until:
		return false
	default:
		return until != nil
	}
}

// newestOf returns the newest messages of one filter.
func (h *History) newestOf(ctx context.Context, filter bridge.Subject, from, through, upTo uint64) (found []js.Entry, reached uint64, err error) {
	if filter.Wild() {
		return h.swept(ctx, filter, from, through, upTo)
	}
	last, err := h.get(ctx, js.MsgGet{LastFor: filter})
	if err != nil || last.Seq < from || last.Seq > through { // a newer message is replayed
		return nil, through, err
	}
	return []js.Entry{last}, through, nil
}

// newestAtOnce reads the newest messages by direct gets, which return at most a thousand.
func (h *History) newestAtOnce(ctx context.Context, subjects []bridge.Subject, from, upTo uint64) (bridge.Page, error) {
	for wait := staleWait; ; wait *= 2 {
		batch, err := h.batchOnce(ctx, js.BatchGet{Seq: from, MultiLast: subjects, UpToSeq: upTo})
		if err != nil {
			return bridge.Page{}, err
		}
		asOf := cmp.Or(upTo, batch.UpTo)
		if asOf == 0 {
			asOf, err = h.nothingUpTo(ctx, subjects)
			return bridge.Page{Through: asOf, UpTo: asOf}, err
		}
		page := bridge.Page{Messages: h.decode(batch.Found), Through: asOf, UpTo: asOf}
		last := from
		if n := len(batch.Found); n > 0 {
			last = batch.Found[n-1].Seq
		}
		if batch.Pending > 0 {
			page.Through = last
			return page, nil
		}
		// Asked as of a sequence that another replica has named, a lagging replica leaves out messages that it does not have yet.
		missed, err := h.next(ctx, subjects, last+1)
		if err != nil || upTo == 0 || missed > upTo {
			return page, err
		}
		if err := js.Sleep(ctx, wait); err != nil {
			return bridge.Page{}, fmt.Errorf("a replica has not caught up with sequence %d: %w", missed, err)
		}
	}
}

// nothingUpTo returns a sequence up to which there is no message on the subjects.
func (h *History) nothingUpTo(ctx context.Context, subjects []bridge.Subject) (uint64, error) {
	info, err := h.info(ctx, "")
	if err != nil {
		return 0, err
	}
	first, err := h.next(ctx, subjects, 1)
	return min(info.State.LastSeq, first-1), err
}
