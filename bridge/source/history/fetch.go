package history

import (
	"context"
	"errors"
	"slices"

	"github.com/tailwater/tailwater/bridge/source/js"
)

// atOnce is how many messages are requested at once, one by one.
const atOnce = 64

// fetch reads the messages with the given sequences, as far as they exist. The leader is asked for messages that a replica does
// not have.
func (h *History) fetch(ctx context.Context, seqs []uint64) ([]js.Entry, error) {
	found := make([]js.Entry, len(seqs))
	if h.canGet() {
		if err := h.api.GetEach(ctx, h.conn(), h.name, seqs, found); err != nil {
			return nil, err
		}
	}
	errs := make([]error, len(seqs))
	js.Each(len(seqs), func(i int) {
		if found[i].Seq == 0 {
			found[i], errs[i] = h.get(ctx, js.MsgGet{Seq: seqs[i]})
		}
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(e js.Entry) bool { return e.Seq == 0 }), nil
}
