package catalog

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// List returns the names of all streams, or of those whose subjects overlap a filter.
func (t *Table) List(ctx context.Context, filter bridge.Subject) ([]string, error) {
	var all []string
	for {
		request := struct {
			Offset  int            `json:"offset,omitempty"`
			Subject bridge.Subject `json:"subject,omitempty"`
		}{len(all), filter}
		var page struct {
			Total   int      `json:"total"`
			Streams []string `json:"streams"`
		}
		if err := t.api.Call(ctx, js.AskNames, request, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Streams...)
		if len(page.Streams) == 0 || len(all) >= page.Total {
			slices.Sort(all)
			return slices.Compact(all), nil // a stream may have appeared between two pages, before the second
		}
	}
}

// readings are the results of reading streams.
type readings struct {
	streams []*Stream // by name
	silent  []string  // they exist, but have never answered
	hidden  []string  // they exist, but NATS refuses to describe them to the bridge
}

// readAgain reads the named streams, which may have changed, and keeps the other results.
func (t *Table) readAgain(ctx context.Context, before *Streams, names []string) *Streams {
	if len(names) == 0 || before.absence.why != "" {
		return before
	}
	slices.Sort(names)
	names = slices.Compact(names)
	r := t.readThese(ctx, before, names)
	isNamed := func(name string) bool { return slices.Contains(names, name) }
	r.streams = append(r.streams, slices.DeleteFunc(slices.Clone(before.streams), func(x *Stream) bool { return isNamed(x.Name()) })...)
	r.silent = append(r.silent, slices.DeleteFunc(slices.Clone(before.silent), isNamed)...)
	r.hidden = append(r.hidden, slices.DeleteFunc(slices.Clone(before.hidden), isNamed)...)
	return newStreams(before.link, r)
}

// readThese reads the named streams. For a stream that does not answer, the earlier result is kept.
func (t *Table) readThese(ctx context.Context, before *Streams, names []string) readings {
	var mu sync.Mutex
	var r readings
	js.Each(len(names), func(i int) {
		name := names[i]
		var info jetstream.StreamInfo
		err := t.api.Call(ctx, js.AskInfo+name, nil, &info)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			r.streams = append(r.streams, &Stream{info, bridge.Epoch(name, t.config.Began(name, info.Created))})
		case isNotFound(err):
		case errors.Is(err, bridge.ErrRefused):
			r.hidden = append(r.hidden, name)
		case before.Get(name) != nil:
			r.streams = append(r.streams, before.Get(name))
		default:
			r.silent = append(r.silent, name)
		}
	})
	return r
}
