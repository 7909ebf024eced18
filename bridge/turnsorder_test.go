package bridge_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// Waiting in line costs the same, however many wait there.
func BenchmarkAwait(b *testing.B) {
	for _, waiting := range []int{1000, 30_000} {
		b.Run(fmt.Sprint("behind ", waiting), func(b *testing.B) {
			turns := bridge.NewTurns()
			defer turns.Close()
			silent := func(ctx context.Context, _ uint64) error { <-ctx.Done(); return ctx.Err() }
			wait := func(account int) bridge.Waiter {
				w := bridge.NewWaiter(bridge.Account(account))
				turns.Await(bridge.NewTask("CHAT", silent), w, 1, bridge.NewSignal(), 0)
				return w
			}
			for i := range waiting {
				wait(i + 1)
			}
			for b.Loop() {
				turns.Leave(wait(waiting + 1))
			}
		})
	}
}

// In any order of arrivals and departures, every reader that stays is served, and nothing is left.
func TestTurnsOfAnyOrder(t *testing.T) {
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		random := rand.New(rand.NewPCG(1, 2))
		var tasks []bridge.Task
		for i := range 40 {
			tasks = append(tasks, reading(turns, i%3, time.Duration(random.IntN(50))*time.Millisecond, nil))
		}
		var stay []bridge.Signal
		for range 5000 {
			w, more := bridge.NewWaiter(bridge.Account(random.IntN(6))), bridge.NewSignal()
			for range 1 + random.IntN(3) {
				turns.Await(tasks[random.IntN(len(tasks))], w, uint64(random.IntN(4)), more, time.Duration(random.IntN(2))*time.Millisecond)
			}
			if random.IntN(3) == 0 {
				stay = append(stay, more)
			} else if random.IntN(2) == 0 {
				pass(time.Duration(random.IntN(10)) * time.Millisecond)
				turns.Leave(w)
			} else {
				turns.Leave(w)
			}
		}
		pass(time.Minute)
		for i, more := range stay {
			select {
			case <-more:
			default:
				t.Fatalf("waiter %d was not served", i)
			}
		}
	})
}
