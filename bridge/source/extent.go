package source

import (
	"context"
	"fmt"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
)

// Extent returns the oldest and newest messages stored on the subjects now. ctx must have a deadline. The error wraps
// bridge.ErrUnavailable.
func (s *Source) Extent(ctx context.Context, subjects []bridge.Subject) (bridge.Extent, error) {
	extent, err := s.extent(ctx, subjects)
	if err != nil {
		return bridge.Extent{}, fmt.Errorf("look up what is stored: %w: %w", bridge.ErrUnavailable, err)
	}
	return extent, nil
}

func (s *Source) extent(ctx context.Context, subjects []bridge.Subject) (bridge.Extent, error) {
	origins, err := s.table.Await(ctx, bridge.Reduce(subjects))
	if err != nil || len(origins.Unstored) > 0 { // no position can stand for all
		return bridge.Extent{}, err
	}
	var extent bridge.Extent
	for _, portion := range origins.Stored {
		first, last, upTo, err := s.newHistory(ctx, portion.Stream).Extent(ctx, portion.Subjects)
		if err != nil {
			return bridge.Extent{}, err
		}
		at := bridge.Position{Epoch: portion.Stream.Epoch, Seq: last.Seq, Time: last.Time}
		if last.Seq == 0 {
			at = bridge.Position{Epoch: portion.Stream.Epoch, Seq: upTo}
		}
		extent.Last = append(extent.Last, at)
		if len(origins.Stored) == 1 {
			extent.FirstSeq, extent.LastSeq = first.Seq, last.Seq
		}
	}
	return extent, nil
}

// End implements bridge.Store. ctx must have a deadline. The error wraps bridge.ErrUnavailable.
func (s *Source) End(ctx context.Context, subjects []bridge.Subject) (bridge.ID, error) {
	end, err := s.end(ctx, subjects)
	if err != nil {
		return nil, fmt.Errorf("look up where what is stored ends: %w: %w", bridge.ErrUnavailable, err)
	}
	return end, nil
}

func (s *Source) end(ctx context.Context, subjects []bridge.Subject) (end bridge.ID, err error) {
	origins, err := s.table.Await(ctx, bridge.Reduce(subjects))
	if err != nil {
		return nil, err
	}
	for _, portion := range origins.Stored {
		at, err := s.newHistory(ctx, portion.Stream).End(ctx, portion.Subjects, s.arrived(portion.Stream))
		if err != nil {
			return nil, err
		}
		if at.Seq > 0 {
			end = append(end, at)
		}
	}
	return end, nil
}

// arrived returns the sequence up to which a stream's messages have arrived here; 0 if it is not read.
func (s *Source) arrived(of *catalog.Stream) uint64 {
	if t := s.tapOf(of); t != nil {
		return t.Last().Seq
	}
	return 0
}

// Holder implements bridge.Store. A stream whose pages are read, too, is the same holder.
func (s *Source) Holder(subjects []bridge.Subject) any {
	origins, _ := s.table.Classify(bridge.Reduce(subjects))
	if len(origins.Stored) != 1 || len(origins.Unstored) > 0 {
		return s
	}
	of := origins.Stored[0].Stream
	if t := s.tapOf(of); t != nil {
		return t
	}
	return of.Name()
}
