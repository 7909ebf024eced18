package node_test

import (
	"context"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// Memory that was needed for a moment goes back to the system before Go would collect it, which takes two minutes.
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

// The parts of the memory are no more than all of it, and what a caller may hold of bodies is as much as the settings let a body be.
func TestMemoryIsDivided(t *testing.T) {
	for _, memory := range []configs.Budget{8 << 20, 256 << 20, 1 << 40} {
		p := node.Divide(memory)
		if sum := p.Frames + p.Pages + p.Bodies; sum > int64(memory) || sum < int64(memory)-8 || p.Intake > int64(memory)/4 {
			t.Errorf("%v is divided into %+v", memory, p)
		}
		if int64(p.Total) != p.Frames || int64(p.HubPages) != p.Pages || p.HubFrames == 0 {
			t.Errorf("%+v", p)
		}
	}
}
