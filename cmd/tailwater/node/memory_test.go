package node_test

import (
	"context"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

// Memory that was needed for a moment goes back to the system sooner than Go itself would return it, after two minutes.
func TestMemoryIsGivenBack(t *testing.T) {
	const size = 64 << 20
	released := []metrics.Sample{{Name: "/memory/classes/heap/released:bytes"}}
	passing := make([]byte, size)
	for i := 0; i < size; i += 4 << 10 {
		passing[i] = 1
	}
	metrics.Read(released)
	before := released[0].Value.Uint64()

	var giving sync.WaitGroup
	defer giving.Wait()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	giving.Go(func() { node.GiveBack(ctx, 10*time.Millisecond) })
	again, late := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer again.Stop()
	for metrics.Read(released); released[0].Value.Uint64() < before+size/2; metrics.Read(released) {
		select {
		case <-again.C:
		case <-late:
			t.Fatal("memory is not given back")
		}
	}
}
