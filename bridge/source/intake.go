package source

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/tailwater/tailwater/bridge/source/js"
)

const (
	// incomingBuffer is how many messages may wait for take, which waits for nothing but a processor: if all are busy, for some
	// 10 ms, in which nats.go can read tens of thousands of small messages.
	incomingBuffer = 1 << 16
	// intakeBudget is how many bytes may wait for delivery, unless configured. It covers a garbage collection, a busy processor,
	// or a burst that takes longer to encode than to receive. Messages beyond are lost, and announced.
	intakeBudget = 64 << 20
	// messageCost is a message's size in memory beside its subject and payload, roughly.
	messageCost = 256
)

// intake holds the messages that were received and are not delivered yet. It is limited in bytes. nats.go's channels and
// subscriptions are not, and a flood of large messages would otherwise fill the memory.
type intake struct {
	ready  chan struct{} // buffers one: there may be messages
	budget int64
	held   atomic.Int64 // bytes received and not delivered yet

	mu     sync.Mutex
	queue  []*nats.Msg                // a nil stands for messages that were lost
	hasNil bool                       // queue contains a nil
	lost   map[*nats.Subscription]int // messages over the budget, since their subscription began
}

func newIntake(budget int64) *intake {
	return &intake{ready: make(chan struct{}, 1), budget: budget, lost: map[*nats.Subscription]int{}}
}

// take moves messages from nats.go's channel to the intake.
func (s *Source) take() {
	for {
		select {
		case msg := <-s.incoming:
			s.intake.put(msg, s.incoming)
		case <-s.alive.Done():
			return
		}
	}
}

func cost(msg *nats.Msg) int64 {
	return int64(len(msg.Subject) + len(msg.Data) + messageCost)
}

// put adds a message, and those that wait in the channel it came from.
func (i *intake) put(msg *nats.Msg, from <-chan *nats.Msg) {
	i.mu.Lock()
	for waiting := len(from); ; waiting-- {
		// If the channel was full, nats.go may have dropped the next messages. Only the caller makes room, so whatever arrives
		// after a drop is queued behind the nil.
		i.add(msg, len(from) >= cap(from)-1)
		if waiting == 0 {
			break
		}
		msg = <-from
	}
	i.mu.Unlock()
	js.Wake(i.ready)
}

// add adds a message, or counts it as lost if it does not fit. lossy means that others may have been lost after it.
func (i *intake) add(msg *nats.Msg, lossy bool) {
	size := cost(msg)
	if held := i.held.Load(); held > 0 && held+size > i.budget && msg.Sub != nil {
		i.lost[msg.Sub]++
		lossy = true
	} else {
		i.held.Add(size)
		i.queue = append(i.queue, msg)
	}
	if lossy && !i.hasNil {
		// One nil is enough until it is read: it stands for everything lost until then.
		i.hasNil = true
		i.queue = append(i.queue, nil)
	}
}

// keptQueue is how many messages an array may have room for that is used again.
const keptQueue = 1024

// all returns and removes all messages. It uses an array that it has returned before, which the caller has emptied.
func (i *intake) all(former []*nats.Msg) []*nats.Msg {
	if cap(former) > keptQueue {
		former = nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	taken := i.queue
	i.queue = former[:0]
	return taken
}

// lostSoFar is called when a nil was read. Later losses get a new one.
func (i *intake) lostSoFar() map[*nats.Subscription]int {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.hasNil = false
	return maps.Clone(i.lost)
}

// forget removes the count of an ended subscription.
func (i *intake) forget(sub *nats.Subscription) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.lost, sub)
}
