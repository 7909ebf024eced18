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

// LimitRuntime tells Go how much memory the container has, less a fifth for what Go does not count, such as sockets and the files that
// the kernel keeps. Otherwise Go lets garbage grow until the process is killed. GOMEMLIMIT wins.
func LimitRuntime(machine configs.Machine, log *slog.Logger) {
	if limit := machine.Container; limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 5 * 4)
	}
	log.Info("memory", "container", OrNone(machine.Container), "machine", OrNone(machine.Total), "go_limit", OrNone(GoLimit()))
}

// GoLimit returns the limit that Go keeps to, 0 for none.
func GoLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	return 0
}

// OrNone returns a size with a unit, or says that there is none.
func OrNone(bytes int64) string {
	if bytes <= 0 {
		return "none"
	}
	return humanize.IBytes(uint64(bytes))
}

const (
	// quietFor is how long nothing must have been collected. Go collects when as much was allocated as is in use.
	quietFor = 30 * time.Second
	// So many bytes must have been allocated since the last time, and such a part of what is in use, which is what it costs.
	worthGiving = 4 << 20
	worthPart   = 4
)

// giveBack returns memory that is not in use to the system, while the process has little to do. Go keeps about as much again as
// is in use for its next collection, also where none is due for hours; and what thousands of connections needed while they came
// is collected only minutes later. It goes on until ctx ends.
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
		if now.collections == before.collections && now.allocated-given > max(worthGiving, now.live/worthPart) {
			debug.FreeOSMemory()
			now = readHeap()
			given = now.allocated
		}
		before = now
	}
}

// heap is what Go tells of its memory.
type heap struct {
	collections uint64
	allocated   uint64 // bytes, since the process began
	live        uint64 // bytes that the last collection found in use
}

func readHeap() heap {
	samples := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return heap{collections: samples[0].Value.Uint64(), allocated: samples[1].Value.Uint64(), live: samples[2].Value.Uint64()}
}
