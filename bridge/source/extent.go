package source

import (
	"context"
	"fmt"

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

// Together tells whether one connection can follow all that holds the subjects; it does not wait. The error wraps
// bridge.ErrStreams.
func (s *Source) Together(subjects []bridge.Subject) error {
	return s.table.together(bridge.Reduce(subjects))
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
			oldest, err := s.api.stored(ctx, portion.stream.name(), msgGet{Seq: 1, NextFor: subject})
			if err != nil {
				return bridge.Extent{}, err
			}
			newest, err := s.api.stored(ctx, portion.stream.name(), msgGet{LastFor: subject})
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
			// The table of streams may have been read half a minute ago.
			seq, err := s.newHistory(ctx, portion.stream).nothingUpTo(ctx, portion.subjects)
			if err != nil {
				return bridge.Extent{}, err
			}
			at = bridge.Position{Epoch: portion.stream.epoch, Seq: seq}
		}
		extent.Last = append(extent.Last, at)
		if len(portions) == 1 {
			extent.FirstSeq, extent.LastSeq = first.Seq, last.Seq
		}
	}
	return extent, nil
}
