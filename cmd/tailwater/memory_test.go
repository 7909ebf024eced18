package main

import (
	"context"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

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
	giving.Go(func() { giveBack(ctx, 10*time.Millisecond) })
	eventually(t, "memory is given back", func() bool {
		metrics.Read(released)
		return released[0].Value.Uint64() >= before+size/2
	})
}

// The parts of the memory are no more than all of it, and what a caller may hold of bodies is as much as the settings let a body be.
func TestMemoryIsDivided(t *testing.T) {
	for _, memory := range []configs.Budget{8 << 20, 256 << 20, 1 << 40} {
		p := divide(memory)
		if sum := p.frames + p.pages + p.bodies; sum > int64(memory) || sum < int64(memory)-8 || p.intake > int64(memory)/4 {
			t.Errorf("%v is divided into %+v", memory, p)
		}
		if feeds := p.feeds(); int64(feeds.Total) != p.frames || int64(feeds.Pages) != p.pages || feeds.Frames == 0 {
			t.Errorf("%+v", feeds)
		}
	}
}

// What is held, and what may be, is told in metrics.
func TestMemoryIsMeasured(t *testing.T) {
	n := startNode(t, settings{"MEMORY": "8MiB", "DEMO_TIME": "false"})
	reader, _ := subscribe(t, n.url()+"/events/chat.room1", "")
	post(t, n.url()+"/events/chat.room1", strings.Repeat("x", 10_000))
	if event := reader.next(); len(event.Data) != 10_000 {
		t.Fatalf("%+v", event)
	}
	for part, most := range map[string]int64{"frames": 2 << 20, "pages": 2 << 20, "bodies": 4 << 20, "intake": 2 << 20} {
		if got := n.figure(t, `tailwater_memory_limit_bytes{part="`+part+`"}`); got != most {
			t.Errorf("%s may hold %d bytes, want %d", part, got, most)
		}
	}
	if held := n.figure(t, `tailwater_memory_bytes{part="frames"}`); held < 10_000 || held > 20_000 {
		t.Errorf("the frame of a message of 10,000 bytes counts as %d", held)
	}
	eventually(t, "no body is held", func() bool { return n.figure(t, `tailwater_memory_bytes{part="bodies"}`) == 0 })
}
