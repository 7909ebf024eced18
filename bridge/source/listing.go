package source

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// maxListed is how many sequences the listings of one stream may hold together, but for the last that was made.
const maxListed = 1 << 20

// everything a stream holds: to look for a filter with very many subjects costs a server more than to give what lies between.
const everything bridge.Subject = ">"

// closeTogether: to read so many messages costs as much as to ask for one of them.
const closeTogether = 8

// listing is where the newest message of each subject of some filters is: of more than one direct get gives. It is read in pages,
// by the pace of clients; the messages themselves could be of any size. It is not changed.
type listing struct {
	key  string
	seqs []uint64 // ascending
	upTo uint64   // the sequence as of which they are the newest
}

// listings are the listings that were made last, the newest of each set of filters. It serves also those who read an earlier one: a
// subject that had a newer message since is replayed to them from there on.
type listings struct {
	mu  sync.Mutex
	all []*listing // the one used last is the last
}

func listKey(subjects []bridge.Subject) string {
	var key strings.Builder
	for _, s := range subjects {
		key.WriteString(string(s) + " ") // no subject holds a blank
	}
	return key.String()
}

func (l *listings) get(subjects []bridge.Subject) *listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := listKey(subjects)
	i := slices.IndexFunc(l.all, func(of *listing) bool { return of.key == key })
	if i < 0 {
		return nil
	}
	found := l.all[i]
	l.all = append(slices.Delete(l.all, i, i+1), found)
	return found
}

func (l *listings) put(made *listing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(slices.DeleteFunc(l.all, func(of *listing) bool { return of.key == made.key }), made)
	sum := 0
	for i := len(l.all) - 1; i >= 0; i-- {
		if sum += len(l.all[i].seqs); sum > maxListed && i < len(l.all)-1 {
			l.all = slices.Delete(l.all, 0, i+1)
			return
		}
	}
}

// newestByListing is newest where a direct get cannot give them.
func (h *history) newestByListing(ctx context.Context, subjects []bridge.Subject, from, upTo uint64) (bridge.Page, error) {
	made, err := h.listing(ctx, subjects)
	if err != nil {
		return bridge.Page{}, err
	}
	made.upTo = max(made.upTo, upTo) // it is of now
	h.listings.put(made)
	return h.newestOf(ctx, made, from, cmp.Or(upTo, made.upTo))
}

// listing finds out where the newest messages are: a consumer tells it, without their payloads.
func (h *history) listing(ctx context.Context, subjects []bridge.Subject) (*listing, error) {
	made := &listing{key: listKey(subjects), upTo: math.MaxUint64}
	for _, subject := range subjects {
		var last uint64
		_, err := h.consume(ctx, nats.ConsumerConfig{
			FilterSubject: string(subject), DeliverPolicy: nats.DeliverLastPerSubjectPolicy, HeadersOnly: true,
		}, func(e entry) bool {
			last = e.seq
			made.seqs = append(made.seqs, last)
			return true
		})
		if err == nil && last == 0 {
			last, err = h.nothingUpTo(ctx, []bridge.Subject{subject})
		}
		if err != nil {
			return nil, err
		}
		// The newest of all is certainly part of it; what came after is replayed.
		made.upTo = min(made.upTo, last)
	}
	slices.Sort(made.seqs)
	made.seqs = slices.Clip(slices.Compact(made.seqs))
	return made, nil
}

// newestOf reads a page of what a listing names, from one sequence up to another. What is gone meanwhile had a newer message, or
// was deleted.
func (h *history) newestOf(ctx context.Context, of *listing, from, upTo uint64) (bridge.Page, error) {
	first, _ := slices.BinarySearch(of.seqs, from)
	end, _ := slices.BinarySearch(of.seqs, upTo+1)
	rest := of.seqs[first:max(first, end)]
	page := bridge.Page{Through: upTo, UpTo: upTo}
	var found []entry
	size := 0
	for len(rest) > 0 {
		if len(found) >= pageMessages || size >= pageBytes {
			page.Through = rest[0] - 1
			break
		}
		some, reached, err := h.listed(ctx, rest)
		if err != nil {
			return bridge.Page{}, err
		}
		for _, e := range some {
			size += len(e.subject) + len(e.data)
		}
		found = append(found, some...)
		done, _ := slices.BinarySearch(rest, reached+1)
		rest = rest[done:]
	}
	page.Messages = h.decode(found)
	return page, nil
}

// listed reads the messages of the first of some sequences, and tells how far: where they lie close together, with what lies
// between, else one by one.
func (h *history) listed(ctx context.Context, seqs []uint64) (found []entry, reached uint64, err error) {
	near := seqs[:min(len(seqs), pageMessages)]
	if from, through := near[0], near[len(near)-1]; through-from < closeTogether*uint64(len(near)) {
		found, reached, err = h.stretch(ctx, everything, from, through)
		return slices.DeleteFunc(found, func(e entry) bool {
			_, isListed := slices.BinarySearch(near, e.seq)
			return !isListed
		}), reached, err
	}
	few := seqs[:min(len(seqs), atOnce)]
	found, err = h.fetch(ctx, few)
	return found, few[len(few)-1], err
}
