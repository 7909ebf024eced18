package node

import (
	"context"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/tailwater/tailwater/configs"
)

// LimitRuntime keeps Go within its share of the container's memory. Otherwise Go lets garbage grow until the process is killed. GOMEMLIMIT wins.
func LimitRuntime(machine configs.Machine, log *slog.Logger) {
	if limit := machine.ForGo(); limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
	log.Info("memory", "container", OrNone(machine.Container), "machine", OrNone(machine.Total), "go_limit", OrNone(GoLimit()))
}

// GoLimit returns Go's memory limit; 0 for none.
func GoLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	return 0
}

// OrNone returns a size with a unit, or "none".
func OrNone(bytes int64) string {
	if bytes <= 0 {
		return "none"
	}
	return humanize.IBytes(uint64(bytes))
}

const (
	// quietFor is how long Go must not have collected. Go collects when as much was allocated as is in use.
	quietFor = 30 * time.Second
	// At least so many bytes must have been allocated since the last collection, and such a share of the live heap, which is the cost.
	worthGiving = 4 << 20
	worthShare  = 4
)

// giveBack returns unused memory to the system while the process has little to do. For its next collection, Go keeps about as much
// memory as is in use, even if that collection is hours away, and memory that thousands of new connections needed is collected only
// minutes later. giveBack returns when ctx ends.
func giveBack(ctx context.Context, quietFor time.Duration) {
	again := time.NewTicker(quietFor)
	defer again.Stop()
	given := uint64(0)
	for before := readHeap(); ; {
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
		now := readHeap()
		if now.collections == before.collections && now.allocated-given > max(worthGiving, now.live/worthShare) {
			debug.FreeOSMemory()
			now = readHeap()
			given = now.allocated
		}
		before = now
	}
}

// heap is Go's report about its memory.
type heap struct {
	collections uint64
	allocated   uint64 // bytes, since the process started
	live        uint64 // bytes in use at the last collection
}

func readHeap() heap {
	samples := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return heap{collections: samples[0].Value.Uint64(), allocated: samples[1].Value.Uint64(), live: samples[2].Value.Uint64()}
}
