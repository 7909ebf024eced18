package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// publisher sends messages, on all subjects in turn.
type publisher struct {
	plan   *Plan
	target *target
	mark   []byte
	window *window  // nil without one
	to     []string // where the messages of each subject go: a subject of NATS, or a URL
	close  func()
	send   func(to string, payload []byte) error

	// POST waits for each answer, so several run at once, in lanes. A subject has one lane, so that its messages stay in
	// order. For NATS there are none.
	lanes   []chan sending
	running sync.WaitGroup
	payload []byte // of sendings without a lane

	sent   atomic.Int64
	behind atomic.Int64 // the longest that one was late, in ns
	late   atomic.Int64 // messages that were later than tolerance

	mu     sync.Mutex
	failed map[int]uint32 // messages of each subject that could not be published
	why    error          // of the first of them
}

// sending is a message on its way to be published.
type sending struct {
	subject int
	seq     uint32
	due     time.Duration
}

const (
	maxLanes   = 16
	laneLength = 64
	// tolerance is how late a message may be published before it is counted: a pause of the scheduler is no fault of pace.
	tolerance = 20 * time.Millisecond
)

// openPublisher connects to where messages go.
func openPublisher(plan *Plan, target *target, mark []byte, window *window) (*publisher, error) {
	p := &publisher{plan: plan, target: target, mark: mark, window: window, failed: map[int]uint32{}, payload: newPayload(mark, plan.Size)}
	for n := range plan.Subjects {
		if plan.Post != "" {
			p.to = append(p.to, plan.fill(plan.Post, n))
		} else {
			p.to = append(p.to, plan.subject(n))
		}
	}
	if plan.Post != "" {
		p.openLanes()
		return p, nil
	}
	conn, err := plan.Dial()
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	if int64(plan.Size) > conn.MaxPayload() {
		conn.Close()
		return nil, fmt.Errorf("NATS takes payloads of at most %d bytes: give a smaller --size", conn.MaxPayload())
	}
	p.close, p.send = conn.Close, conn.Publish
	return p, nil
}

// NATSOptions are those with which the publisher has to be connected: what is published while NATS is away would only be
// sent when it no longer counts.
func NATSOptions() []nats.Option {
	return []nats.Option{nats.Name("tailwater bench"), nats.NoReconnect()}
}

func (p *publisher) openLanes() {
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: maxLanes, DisableCompression: true},
		Timeout:       p.plan.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	p.send = func(to string, payload []byte) error { return post(client, to, payload) }
	for range min(maxLanes, p.plan.Subjects) {
		lane := make(chan sending, laneLength)
		p.lanes = append(p.lanes, lane)
		p.running.Go(func() {
			payload := newPayload(p.mark, p.plan.Size)
			for s := range lane {
				p.publish(s, payload)
			}
		})
	}
	p.close = func() {
		for _, lane := range p.lanes {
			close(lane)
		}
		p.running.Wait()
		client.CloseIdleConnections()
	}
}

// post sends one message to a URL.
func post(client *http.Client, url string, payload []byte) error {
	response, err := client.Post(url, "text/plain", bytes.NewReader(payload))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("POST %s: %w", url, err)
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s answers %s: %s", url, response.Status, shown(body))
	}
	return nil
}

// put sends a message, or hands it to its lane.
func (p *publisher) put(s sending) {
	if len(p.lanes) == 0 {
		p.publish(s, p.payload)
		return
	}
	p.lanes[s.subject%len(p.lanes)] <- s
}

func (p *publisher) publish(s sending, payload []byte) {
	now := p.target.now()
	stamp(payload, record{s.subject, s.seq, now})
	err := p.send(p.to[s.subject], payload)
	if s.seq != probe {
		p.sent.Add(1)
		p.measureDelay(now - s.due)
	}
	if err != nil {
		p.fail(s, err)
	}
}

func (p *publisher) measureDelay(delay time.Duration) {
	if delay > tolerance {
		p.late.Add(1)
	}
	for {
		longest := p.behind.Load()
		if int64(delay) <= longest || p.behind.CompareAndSwap(longest, int64(delay)) {
			return
		}
	}
}

func (p *publisher) fail(s sending, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.why == nil {
		p.why = err
	}
	if s.seq == probe {
		return
	}
	p.failed[s.subject]++
	if p.window != nil {
		p.window.abandon(indexOf(s.subject, s.seq, p.plan.Subjects))
	}
}

// failure gives why the first message could not be published.
func (p *publisher) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

// run publishes what the throttle lets go, and gives how many messages that were.
func (p *publisher) run(ctx context.Context, throttle throttle) int {
	for k := 0; p.plan.Messages == 0 || k < p.plan.Messages; k++ {
		due, ok := throttle.wait(ctx, k)
		if !ok || p.isCut() {
			return k
		}
		p.put(sending{k % p.plan.Subjects, seqOf(k, p.plan.Subjects), due})
	}
	return p.plan.Messages
}

// isCut tells whether nothing can be published any more: NATS is away. A POST may fail, and the next succeed.
func (p *publisher) isCut() bool { return p.plan.Post == "" && p.failure() != nil }
