package bridge_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// keepBusy makes as many accounts, the first of them 1, wait for a task each as there are workers, so that nothing else begins.
func keepBusy(turns bridge.Turns) {
	for i := range bridge.MostRunning {
		wait(turns, reading(turns, "CHAT", time.Second, nil), bridge.Account(i+1))
	}
}

// A task that thousands of accounts wait for does not stand in the lines of all of them, or each run would cost as much as
// there are accounts. It is one task, and counts once.
func TestHerdStandsInFewLines(t *testing.T) {
	const tasks, accounts = 4, 20_000
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		keepBusy(turns)
		others := turns.InLines()
		for range tasks {
			shared := reading(turns, "CHAT", time.Second, nil)
			for account := range bridge.Account(accounts) {
				turns.Await(shared, bridge.NewWaiter(account+100), 1, bridge.NewSignal(), 0)
			}
		}
		if n := turns.InLines() - others; n > tasks*(tasks+1)/2 {
			t.Errorf("%d tasks for %d accounts stand %d times in lines", tasks, accounts, n)
		}
		if !turns.MayWait(50) {
			t.Error("another account may not wait")
		}
	})
}

// If the account leaves in whose line a task stands, the task does not fall behind for the other accounts.
func TestHerdSurvivesALeaver(t *testing.T) {
	const takes = time.Second
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		keepBusy(turns)
		for range 1000 {
			wait(turns, reading(turns, "CHAT", takes, nil), 1)
		}
		shared := reading(turns, "CHAT", takes, nil)
		wait(turns, shared, 1) // in a long line
		first := bridge.NewWaiter(102)
		turns.Await(shared, first, 1, bridge.NewSignal(), 0)
		third, fourth := wait(turns, shared, 103), wait(turns, shared, 104)
		turns.Leave(first)
		if took := <-third; took > 4*takes {
			t.Errorf("an account has waited for %v", took)
		}
		<-fourth
	})
}

// Two accounts that wait for the same may wait for no more than each of them alone.
func TestSharedTasksAreBounded(t *testing.T) {
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		waiters := []bridge.Waiter{bridge.NewWaiter(1), bridge.NewWaiter(2)}
		tasks := 0
		for ; turns.MayWait(1) && turns.MayWait(2) && tasks < 1<<20; tasks++ {
			shared := reading(turns, "CHAT", time.Hour, nil)
			for _, w := range waiters {
				turns.Await(shared, w, 1, bridge.NewSignal(), 0)
			}
		}
		if tasks > bridge.MostOfOne+bridge.MostRunning || turns.MayWait(1) || turns.MayWait(2) || !turns.MayWait(3) {
			t.Errorf("they wait for %d tasks", tasks)
		}
		for _, w := range waiters {
			turns.Leave(w)
		}
	})
}

// A read wakes those whose sequences it has read and nobody else, wherever in the log they are.
func TestReadWakesItsWaiters(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, spread := range []uint64{100, 5000, 1 << 20, 1 << 62} {
		turns := bridge.NewTurns()
		of := bridge.NewTask("CHAT", func(ctx context.Context, _ uint64) error { <-ctx.Done(); return ctx.Err() })
		waiting := map[uint64]bridge.Signal{}
		for range 2000 {
			from := random.Uint64N(spread)
			if waiting[from] == nil {
				waiting[from] = bridge.NewSignal()
				turns.Await(of, bridge.NewWaiter(bridge.Account(from%7)), from, waiting[from], 0)
			}
		}
		for len(waiting) > 0 {
			from := random.Uint64N(spread)
			through := from + random.Uint64N(max(1, spread/20))
			if random.IntN(100) == 0 {
				from, through = 0, spread
			}
			if got, want := turns.Lowest(of, from, through), lowestOf(waiting, from, through); got != want {
				t.Fatalf("the lowest in [%d, %d] is %d, want %d", from, through, got, want)
			}
			turns.Wake(of, from, through)
			for at, signal := range waiting {
				isWoken := len(signal) > 0
				if isWoken != (from <= at && at <= through) {
					t.Fatalf("[%d, %d] was read; who waits for %d was woken: %t", from, through, at, isWoken)
				}
				if isWoken {
					delete(waiting, at)
				}
			}
		}
		turns.Close()
	}
}

func lowestOf(waiting map[uint64]bridge.Signal, from, most uint64) uint64 {
	for at := range waiting {
		if from <= at {
			most = min(most, at)
		}
	}
	return most
}

// BenchmarkHerd makes readers wait for tasks whose runs cost nothing, until all were served. A run serves a page of sequences. The
// time of a reader must not grow with the number of the others.
func BenchmarkHerd(b *testing.B) {
	for _, h := range []herdOf{
		{readers: 10_000, tasks: 1, pages: 1},
		{readers: 40_000, tasks: 1, pages: 1},
		{readers: 10_000, tasks: 1, pages: 1000},
		{readers: 40_000, tasks: 1, pages: 1000},
		{readers: 10_000, tasks: 1, pages: 1000, isOneAccount: true},
		{readers: 40_000, tasks: 1, pages: 1000, isOneAccount: true},
		{readers: 10_000, tasks: 1000, pages: 10},
		{readers: 40_000, tasks: 1000, pages: 10},
		{readers: 10_000, tasks: 1000, pages: 10, isOneAccount: true},
		{readers: 40_000, tasks: 1000, pages: 10, isOneAccount: true},
	} {
		b.Run(fmt.Sprintf("readers=%d/tasks=%d/pages=%d/one=%t", h.readers, h.tasks, h.pages, h.isOneAccount), func(b *testing.B) {
			for b.Loop() {
				h.serve()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*h.readers), "ns/reader")
		})
	}
}

// herdOf describes readers that wait for tasks, each somewhere in the pages of its task.
type herdOf struct {
	readers, tasks, pages int
	isOneAccount          bool
}

const seqsOfPage = 1000

// serve returns when all have been woken.
func (h herdOf) serve() {
	turns := bridge.NewTurns()
	defer turns.Close()
	served := &countdown{done: make(chan struct{})}
	served.left.Store(int64(h.readers))
	tasks := make([]bridge.Task, h.tasks)
	for i := range tasks {
		tasks[i] = pageReading(turns)
	}
	for i := range h.readers {
		account := bridge.Account(i)
		if h.isOneAccount {
			account = 1
		}
		seq := uint64(i) * 7919 % uint64(h.pages*seqsOfPage) // anywhere
		turns.Await(tasks[i%h.tasks], bridge.NewWaiter(account), seq, served, 0)
	}
	<-served.done
}

// pageReading returns a task that serves a page of sequences, from the lowest in reach on.
func pageReading(turns bridge.Turns) bridge.Task {
	var of bridge.Task
	of = bridge.NewTask("CHAT", func(_ context.Context, from uint64) error {
		from = turns.Lowest(of, from-min(from, seqsOfPage), from)
		turns.Wake(of, from, from+seqsOfPage-1)
		return nil
	})
	return of
}

// countdown is woken by each that is served, and closes done at the last.
type countdown struct {
	left atomic.Int64
	done chan struct{}
}

func (c *countdown) Wake() {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
}
