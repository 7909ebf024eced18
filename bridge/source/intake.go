package source

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

const (
	// incomingBuffer is how many messages may wait until take runs, which never waits for anything itself but for a
	// processor: while all are busy, some 10 ms, in which nats.go can read tens of thousands of small messages.
	incomingBuffer = 1 << 16
	// intakeBudget is how many bytes may wait for delivery, where the configuration does not say. It bridges a garbage collection, a
	// busy processor, or a burst that takes longer to encode than to receive; what comes beyond is lost, and announced.
	intakeBudget = 64 << 20
	// messageCost is what a message takes beside its subject and payload, about.
	messageCost = 256
)

// intake is what has come from NATS and has not been delivered. It is bounded in bytes: neither nats.go's channels nor
// the subscriptions behind them are, and a flood of large messages would otherwise fill the memory.
type intake struct {
	ready  chan struct{} // holds one while there may be something
	budget int64
	held   *atomic.Int64 // bytes taken and not yet delivered

	mu     *sync.Mutex
	queue  []*nats.Msg                // nil stands where messages were lost
	marked bool                       // there is a nil in queue
	lost   map[*nats.Subscription]int // messages over the budget, since their subscription began
}

func newIntake(budget int64) intake {
	return intake{
		ready: make(chan struct{}, 1), budget: budget, held: new(atomic.Int64),
		mu: new(sync.Mutex), lost: map[*nats.Subscription]int{},
	}
}

// take moves messages from nats.go's channel to the intake.
func (s *Source) take() {
	for {
		select {
		case msg := <-s.incoming:
			// If the channel was full, nats.go may have dropped what came next. Only this goroutine makes room, so whatever
			// gets in after a drop finds the mark before it.
			wasFull := len(s.incoming) >= cap(s.incoming)-1
			s.intake.put(msg, wasFull)
		case <-s.alive.Done():
			return
		}
	}
}

func cost(msg *nats.Msg) int64 {
	return int64(len(msg.Subject) + len(msg.Data) + messageCost)
}

// put adds a message, or counts it as lost if it does not fit; lossy says that others may have been lost behind it.
func (i *intake) put(msg *nats.Msg, lossy bool) {
	i.mu.Lock()
	size := cost(msg)
	if held := i.held.Load(); held > 0 && held+size > i.budget && msg.Sub != nil {
		i.lost[msg.Sub]++
		lossy = true
	} else {
		i.held.Add(size)
		i.queue = append(i.queue, msg)
	}
	if lossy && !i.marked {
		// One mark is enough until it is read: it speaks for all that is lost by then.
		i.marked = true
		i.queue = append(i.queue, nil)
	}
	i.mu.Unlock()
	select {
	case i.ready <- struct{}{}:
	default:
	}
}

// all takes what is there.
func (i *intake) all() []*nats.Msg {
	i.mu.Lock()
	defer i.mu.Unlock()
	taken := i.queue
	i.queue = nil
	return taken
}

// delivered makes room.
func (i *intake) delivered(msg *nats.Msg) { i.held.Add(-cost(msg)) }

// lostSoFar reads a mark: what is lost from now on gets a new one.
func (i *intake) lostSoFar() map[*nats.Subscription]int {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.marked = false
	return maps.Clone(i.lost)
}

// forget ends the count for a subscription that has ended.
func (i *intake) forget(sub *nats.Subscription) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.lost, sub)
}
