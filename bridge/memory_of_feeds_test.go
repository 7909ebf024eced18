package bridge_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// What all feeds hold together stays below what they may, whatever their frames are like, and also where the feeds that came
// first are quiet when others come.
func TestFeedsHoldNoMoreThanTheyMay(t *testing.T) {
	const total = 4 << 20
	for name, parts := range map[string]int{"one part": 1, "several parts": 8} {
		t.Run(name, func(t *testing.T) {
			hub, source := newHub(t, bridge.Memory{Frames: 1 << 16, Bytes: 1 << 20, Total: total})
			base := heap()
			for i := range 200 {
				read(t, hub, bridge.Resume{}, bridge.Subject(fmt.Sprint("a.", i)))
				feed := source.feed(t)
				var all []bridge.Part
				for j := range parts {
					all = append(all, bridge.Part{At: bridge.Position{Epoch: fmt.Sprint("e", j)}})
				}
				feed.Begin(all)
				for seq := range uint64(max(50, 12_500/(i+1))) {
					feed.Append(&bridge.Message{Subject: "a", Position: bridge.Position{Epoch: fmt.Sprint("e", seq%uint64(parts)), Seq: seq + 1, Time: time.Now().UnixNano()}})
				}
			}
			if held := heap() - base; held > total*3/2 {
				t.Errorf("the feeds hold %d MiB, and may hold %d", held>>20, total>>20)
			}
			hub.Close()
		})
	}
}
