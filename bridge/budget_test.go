package bridge_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/tailwater/tailwater/bridge"
)

// A single caller gets its limit, each further caller a share of the rest, and none the last byte.
func TestBudgetLeavesRoomForOthers(t *testing.T) {
	const total = 1 << 16
	for most, shares := range map[int64][]float64{
		total / 2: {1. / 2, 1. / 4, 1. / 8, 1. / 16},
		total / 8: {1. / 8, 7. / 64, 49. / 512},
		total:     {1. / 2, 1. / 4},
	} {
		budget := bridge.NewBudget(total, most)
		fill := func(caller string) (held int64) {
			share := budget.Share(caller)
			t.Cleanup(share.Close)
			for share.Take(1) {
				held++
			}
			return held
		}
		for i, share := range shares {
			want := int64(share * total)
			if got := fill(fmt.Sprint(i)); got < want-2 || got > want+2 {
				t.Errorf("where one may hold %d, caller %d holds %d bytes, and should hold %d", most, i, got, want)
			}
		}
		if got := fill("0"); got != 0 {
			t.Errorf("by another request, a caller that has its share holds %d bytes more", got)
		}
		if stats := budget.Stats(); stats.Refused != uint64(len(shares)+1) || stats.Total != total || stats.Held > total {
			t.Errorf("%+v", stats)
		}
	}
}

func TestBudgetIsEmptyBehindItsShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64Range(0, 1000).Draw(t, "total")
		budget := bridge.NewBudget(total, rapid.Int64Range(0, 1000).Draw(t, "most"))
		var shares []*bridge.Share
		callers := map[string]int64{}
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			caller := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "caller")
			bytes := rapid.Int64Range(0, 400).Draw(t, "bytes")
			share := budget.Share(caller)
			shares = append(shares, share)
			if share.Take(bytes) {
				callers[caller] += bytes
			}
			if held := budget.Stats().Held; held > max(0, total) || callers[caller] > total/2 || held != callers["a"]+callers["b"]+callers["c"] {
				t.Fatalf("%d bytes of %d are held, by %v", held, total, callers)
			}
		}
		for _, share := range shares {
			share.Close()
			share.Close()
		}
		if held := budget.Stats().Held; held != 0 {
			t.Fatalf("%d bytes are held by nobody", held)
		}
		if n := budget.Callers(); n != 0 {
			t.Fatalf("%d callers are remembered, and none holds anything", n)
		}
	})
}
