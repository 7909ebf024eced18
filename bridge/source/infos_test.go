package source_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
)

// On a new connection all streams are read. Later only streams in use are read regularly, and a share of the others, in turn: an
// account may have thousands, and many bridges.
func TestUnreadStreamsAreSeldomLookedAt(t *testing.T) {
	t.Parallel()
	const streams, used, looks = 200, 2, 20
	var all []string
	for i := range streams {
		all = append(all, fmt.Sprintf("S%03d", i))
	}
	slices.Sort(all)
	fake := newFake(t)
	var asked [streams]atomic.Int64
	fake.names(t, 1024, all...)
	fake.on(t, "STREAM.INFO.*", func(name string, _ []byte) any {
		asked[slices.Index(all, name)].Add(1)
		return info(name)
	})
	sum := func() (n int64) {
		for i := range asked {
			n += asked[i].Load()
		}
		return n
	}
	b := newFixture(t, fake.dial, quiet)
	table := b.source.OwnTable()
	eventually(t, "all streams are known", func() bool { return table.Classify("s000") == "S000: s000" && table.Classify("s001") == "S001: s001" })
	look := func(what string) {
		before := asked[0].Load()
		table.Look()
		eventually(t, what, func() bool { return asked[0].Load() > before })
	}
	look("a first look, behind the reading of all")
	first := sum()
	for i := range looks {
		look(fmt.Sprint("look ", i))
	}
	if got, most := sum()-first, int64(looks*used+streams+2*looks); got > most {
		t.Errorf("%d streams were looked at in %d rounds, want at most %d", got, looks, most)
	}
	for i := range asked {
		eventually(t, all[i]+" has its turn", func() bool { return asked[i].Load() >= 2 })
	}
}
