package source_test

import (
	"runtime"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

// What was delivered is not kept in memory, also if nothing follows: a burst may be as large as the intake.
func TestDeliveredMessagesAreLetGo(t *testing.T) { // not parallel: it measures the heap
	const count, size, slack = 64, 512 << 10, 8 << 20
	dial := embedded(t)
	b := newFixture(t, dial, quiet)
	newHub(t, b.source, bridge.Memory{Frames: 1, Bytes: 1 << 10}).read(t, "a.flood").wantOpen()
	other := publisher(t, dial)
	publish(t, other, "a.flood", "")
	release := b.hold(t)
	before := heap()
	for range count {
		if err := other.Publish("a.flood", make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		flush(t, other)
	}
	eventually(t, "all are received", func() bool { held, _ := b.source.Intake(); return held > count*size })
	release()
	b.awaitDelivery(t)
	eventually(t, "their memory is free", func() bool { return heap() < before+slack })
}

// heap returns how much of the heap is in use.
func heap() int64 {
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return int64(now.HeapAlloc)
}
