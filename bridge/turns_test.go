package bridge_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// reads notes the sequences from which was read.
type reads struct {
	mu  sync.Mutex
	all []uint64
}

func (p *reads) add(from uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, from)
}

// count is how many reads there were.
func (p *reads) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all)
}

// reading returns a task that takes so long, and notes the sequences it ran for.
func reading(t bridge.Turns, store any, takes time.Duration, ran *reads) bridge.Task {
	var of bridge.Task
	of = bridge.NewTask(store, func(ctx context.Context, from uint64) error {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return ctx.Err()
		}
		if ran != nil {
			ran.add(from)
		}
		t.Wake(of, from, from)
		return nil
	})
	return of
}

// inTurns runs a test in a bubble, and sees that nothing is remembered when all have gone.
func inTurns(t *testing.T, test func(t *testing.T, turns bridge.Turns)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		turns := bridge.NewTurns()
		defer turns.Close()
		test(t, turns)
		pass(time.Hour)
		if kept := turns.Kept(); kept != 0 {
			t.Errorf("%d things are remembered of those who have gone", kept)
		}
	})
}

// wait lets an account wait for a task, and returns how long it has waited when it is woken.
func wait(turns bridge.Turns, of bridge.Task, account bridge.Account) <-chan time.Duration {
	begun, more, done := time.Now(), bridge.NewSignal(), make(chan time.Duration, 1)
	turns.Await(of, bridge.NewWaiter(account), 1, more, 0)
	go func() {
		<-more
		done <- time.Since(begun)
	}()
	return done
}

// However much one account asks for, another waits only for reads that are already running.
func TestTurnsAreFair(t *testing.T) {
	const asked, takes = 4000, 20 * time.Millisecond
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		var last <-chan time.Duration
		for range asked {
			last = wait(turns, reading(turns, "CHAT", takes, nil), 1)
		}
		for range 50 {
			if took := <-wait(turns, reading(turns, "CHAT", takes, nil), 2); took > 2*takes {
				t.Fatalf("another account has waited for %v, and alone it takes %v", took, takes)
			}
		}
		select {
		case took := <-last:
			t.Errorf("the last of %d was read after %v", asked, took)
		default:
		}
		<-last
	})
}

// Accounts that ask for the same amount get the same amount.
func TestTurnsAreEqual(t *testing.T) {
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		ran := make([]reads, 5)
		for i := range ran {
			for range 1000 {
				wait(turns, reading(turns, "CHAT", 10*time.Millisecond, &ran[i]), bridge.Account(i+1))
			}
		}
		pass(time.Second)
		for i := range ran {
			if n, first := ran[i].count(), ran[0].count(); n < first*9/10 || n > first*11/10 || n < 100 {
				t.Errorf("account %d had %d turns, and the first %d", i+1, n, first)
			}
		}
	})
}

// Of more stores than tasks may run, each has its turn.
func TestTurnsOfManyStores(t *testing.T) {
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		ran := make([]reads, 2*bridge.MostRunning)
		for store := range ran {
			for range 10 {
				wait(turns, reading(turns, store, time.Second, &ran[store]), 1)
			}
		}
		pass(3 * time.Second)
		for store := range ran {
			if ran[store].count() == 0 {
				t.Errorf("the store %d had no turn", store)
			}
		}
	})
}

// A store that does not answer delays no other store, and one account cannot use all of its workers.
func TestTurnsOfSilentStores(t *testing.T) {
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		for range 100 {
			wait(turns, reading(turns, "SILENT", 5*time.Second, nil), 1)
			wait(turns, reading(turns, "SILENT", 5*time.Second, nil), 2)
		}
		if took := <-wait(turns, reading(turns, "CHAT", time.Millisecond, nil), 1); took != time.Millisecond {
			t.Errorf("who waits for a silent store has waited %v for another", took)
		}
		if took := <-wait(turns, reading(turns, "CHAT", time.Millisecond, nil), 3); took != time.Millisecond {
			t.Errorf("another account has waited for %v", took)
		}
	})
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		for range 100 {
			wait(turns, reading(turns, "SLOW", 5*time.Second, nil), 1)
		}
		if took := <-wait(turns, reading(turns, "SLOW", time.Millisecond, nil), 2); took != time.Millisecond {
			t.Errorf("where one account has all that it may, another has waited for %v", took)
		}
	})
}

// Readers that wait for the same are served by one read, which counts as a turn of each.
func TestTurnsAreShared(t *testing.T) {
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		for range 1000 {
			wait(turns, reading(turns, "CHAT", time.Second, nil), 1)
		}
		var ran reads
		shared := reading(turns, "CHAT", time.Second, &ran)
		var waits []<-chan time.Duration
		for account := range bridge.Account(100) {
			for range 3 {
				waits = append(waits, wait(turns, shared, account))
			}
		}
		for _, done := range waits {
			if took := <-done; took > time.Second {
				t.Fatalf("one has waited for %v", took)
			}
		}
		if n := ran.count(); n != 1 {
			t.Errorf("%d reads", n)
		}
	})
}

// A read that nobody waits for any more is not started, or is cancelled.
func TestTurnsAreTakenBack(t *testing.T) {
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		var ran, others reads
		left := 0
		var waiters []bridge.Waiter
		for i := range 1000 {
			of := reading(turns, "CHAT", time.Second, &ran)
			of.Left(func() { left++ })
			w := bridge.NewWaiter(1)
			turns.Await(of, w, 1, bridge.NewSignal(), 0)
			waiters = append(waiters, w)
			if i%100 == 0 { // others wait for some
				turns.Await(of, bridge.NewWaiter(2), 1, bridge.NewSignal(), 0)
			}
		}
		done := wait(turns, reading(turns, "CHAT", time.Second, &others), 1)
		for _, w := range waiters {
			turns.Leave(w)
			turns.Leave(w)
		}
		if took := <-done; took > 3*time.Second {
			t.Errorf("behind those who left one has waited for %v", took)
		}
		pass(time.Minute)
		if n := ran.count(); n != 10 || left != 990 || others.count() != 1 {
			t.Errorf("%d were read, and %d were left by all", n, left)
		}
	})
}

// A reader that arrives while a read is being cancelled is served.
func TestTurnOfALatecomer(t *testing.T) {
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		var ran reads
		of := reading(turns, "CHAT", time.Second, &ran)
		first := bridge.NewWaiter(1)
		turns.Await(of, first, 1, bridge.NewSignal(), 0)
		pass(100 * time.Millisecond)
		turns.Leave(first)
		if took := <-wait(turns, of, 1); took != time.Second || ran.count() != 1 {
			t.Errorf("it took %v and %d reads", took, ran.count())
		}
	})
}

// Within one task, the longest waiting is served first, and each account has its turn.
func TestWaitersOfATask(t *testing.T) {
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		var ran reads
		of := reading(turns, "CHAT", time.Second, &ran)
		for _, from := range []uint64{50, 40, 60, 30} {
			turns.Await(of, bridge.NewWaiter(1), from, bridge.NewSignal(), time.Millisecond)
		}
		other, moved := bridge.NewWaiter(2), bridge.NewWaiter(1)
		turns.Await(of, other, 7, bridge.NewSignal(), 0)
		turns.Await(of, moved, 20, bridge.NewSignal(), 0)
		turns.Await(of, moved, 20, bridge.NewSignal(), 0)
		pass(time.Minute)
		if i := slices.Index(ran.all, 7); i < 0 || i > 1 {
			t.Errorf("the other account's sequence was read as number %d", i)
		}
		others := slices.DeleteFunc(ran.all, func(from uint64) bool { return from == 7 })
		if !slices.Equal(others, []uint64{50, 40, 60, 30, 20}) {
			t.Errorf("read were %v", others)
		}
	})
}

// A waiter that has moved to another sequence waits anew there.
func TestMovedWaiterWaitsAnew(t *testing.T) {
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		var ran reads
		of := reading(turns, "CHAT", time.Second, &ran)
		moved := bridge.NewWaiter(1)
		turns.Await(of, moved, 50, bridge.NewSignal(), time.Millisecond)
		turns.Await(of, bridge.NewWaiter(1), 40, bridge.NewSignal(), 0)
		turns.Await(of, bridge.NewWaiter(1), 30, bridge.NewSignal(), 0)
		turns.Await(of, moved, 20, bridge.NewSignal(), 0)
		pass(time.Minute)
		if want := []uint64{40, 30, 20}; !slices.Equal(ran.all, want) {
			t.Errorf("read were %v, want %v", ran.all, want)
		}
	})
}

// A read that fails is tried again while somebody waits for it, after a pause.
func TestTurnThatFails(t *testing.T) {
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		tries := 0
		of := bridge.NewTask("CHAT", func(context.Context, uint64) error {
			tries++
			return errors.New("no answer")
		})
		w := bridge.NewWaiter(1)
		turns.Await(of, w, 1, bridge.NewSignal(), 0)
		pass(10*time.Second + time.Millisecond)
		if tries != 11 {
			t.Errorf("in ten seconds it was tried %d times", tries)
		}
		turns.Leave(w)
		pass(time.Minute)
		if tries != 11 {
			t.Errorf("nobody waits, and it was tried %d times", tries)
		}
	})
}

// An account waits for at most 4,096 tasks, and all accounts together at most 65,536, as SECURITY.md says. While one account
// has all that it may, others may wait.
func TestTurnsAreBounded(t *testing.T) {
	const mostOfOne, mostOfAll = 1 << 12, 1 << 16
	inTurns(t, func(t *testing.T, turns bridge.Turns) {
		var waiters []bridge.Waiter
		// fill makes an account wait until it may not any more, and returns for how many tasks.
		fill := func(account bridge.Account) (count int) {
			for ; turns.MayWait(account) && count <= mostOfOne+bridge.MostRunning; count++ {
				waiters = append(waiters, bridge.NewWaiter(account))
				turns.Await(reading(turns, "CHAT", time.Hour, nil), waiters[len(waiters)-1], 1, bridge.NewSignal(), 0)
			}
			return count
		}
		if n := fill(1); n < mostOfOne || n > mostOfOne+bridge.MostRunning || !turns.MayWait(2) {
			t.Fatalf("one account waits for %d tasks, and may wait for %d", n, mostOfOne)
		}
		accounts := bridge.Account(1)
		for fill(accounts+1) > 0 {
			accounts++
			if len(waiters) > mostOfAll+bridge.MostRunning {
				t.Fatalf("%d accounts wait for %d tasks, and all together may wait for %d", accounts, len(waiters), mostOfAll)
			}
		}
		if accounts < 16 {
			t.Errorf("%d accounts fill all queues", accounts)
		}
		for _, w := range waiters {
			turns.Leave(w)
		}
	})
}

// A task that does not end by itself is ended: after 30 s, when nobody waits for it any more, and when the scheduler closes. Until then
// it holds up the others of its account.
func TestEndlessTasksAreEnded(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(turns bridge.Turns, w bridge.Waiter)
		want time.Duration
	}{
		{"in time", func(bridge.Turns, bridge.Waiter) {}, 30 * time.Second},
		{"nobody waits", func(turns bridge.Turns, w bridge.Waiter) { turns.Leave(w) }, 0},
		{"closed", func(turns bridge.Turns, _ bridge.Waiter) { go turns.Close() }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				turns := bridge.NewTurns()
				ended, giveUp := make(chan time.Duration, 1), make(chan struct{})
				begun := time.Now()
				w := bridge.NewWaiter(1)
				turns.Await(bridge.NewTask("CHAT", func(ctx context.Context, _ uint64) error {
					select {
					case <-ctx.Done():
					case <-giveUp: // the test has failed, and is to end
					}
					select {
					case ended <- time.Since(begun):
					default: // a further run
					}
					return ctx.Err()
				}), w, 1, bridge.NewSignal(), 0)
				synctest.Wait()
				test.end(turns, w)
				select {
				case took := <-ended:
					if took != test.want {
						t.Errorf("the task is ended after %v instead of %v", took, test.want)
					}
				case <-time.After(time.Hour):
					t.Error("the task is not ended: it does not heed its context")
				}
				close(giveUp)
				turns.Close()
			})
		})
	}
}
