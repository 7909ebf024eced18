package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// Extent tells what is stored on the subjects now. ctx must have a deadline. The error wraps bridge.ErrUnavailable.
func (s *Source) Extent(ctx context.Context, subjects []bridge.Subject) (bridge.Extent, error) {
	extent, err := s.extent(ctx, subjects)
	if err != nil {
		return bridge.Extent{}, fmt.Errorf("look up what is stored: %w: %w", bridge.ErrUnavailable, err)
	}
	return extent, nil
}

func (s *Source) extent(ctx context.Context, subjects []bridge.Subject) (bridge.Extent, error) {
	portions, err := s.table.await(ctx, bridge.Reduce(subjects))
	if err != nil {
		return bridge.Extent{}, err
	}
	var extent bridge.Extent
	for _, portion := range portions {
		if portion.stream == nil {
			return bridge.Extent{}, nil // a position would not speak for all
		}
		var first, last storedAt
		for _, subject := range portion.subjects {
			oldest, err := s.stored(ctx, portion.stream, msgGet{Seq: 1, NextFor: subject})
			if err != nil {
				return bridge.Extent{}, err
			}
			newest, err := s.stored(ctx, portion.stream, msgGet{LastFor: subject})
			if err != nil {
				return bridge.Extent{}, err
			}
			if first.Seq == 0 || oldest.Seq != 0 && oldest.Seq < first.Seq {
				first = oldest
			}
			if newest.Seq > last.Seq {
				last = newest
			}
		}
		at := bridge.Position{Epoch: portion.stream.epoch, Seq: last.Seq, Time: last.Time.UnixNano()}
		if last.Seq == 0 {
			at = bridge.Position{Epoch: portion.stream.epoch, Seq: portion.stream.info.State.LastSeq}
		}
		extent.Last = append(extent.Last, at)
		if len(portions) == 1 {
			extent.FirstSeq, extent.LastSeq = first.Seq, last.Seq
		}
	}
	return extent, nil
}

// msgGet asks a stream's leader for one message.
type msgGet struct {
	Seq     uint64         `json:"seq,omitempty"`
	NextFor bridge.Subject `json:"next_by_subj,omitempty"`
	LastFor bridge.Subject `json:"last_by_subj,omitempty"`
}

type storedAt struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
}

// stored gives where a message is; the zero value where there is none.
func (s *Source) stored(ctx context.Context, of *stream, ask msgGet) (storedAt, error) {
	var answer struct {
		Message storedAt `json:"message"`
	}
	err := s.api.call(ctx, "STREAM.MSG.GET."+of.name(), ask, &answer)
	var refusal *jetstream.APIError
	if errors.As(err, &refusal) && refusal.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return storedAt{}, nil
	}
	return answer.Message, err
}
