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

// publisher sends messages on all subjects in turn.
type publisher struct {
	plan   *Plan
	target *target
	tag    []byte
	window *window  // nil without one
	to     []string // the NATS subject or URL of each subject
	close  func()
	send   func(to string, payload []byte) error

	// A POST waits for its answer, so several run at once, in lanes. A subject has one lane, so its messages stay in order. NATS needs no
	// lanes.
	lanes   []chan sending
	running sync.WaitGroup
	payload []byte // for sendings without a lane

	sent   atomic.Int64
	behind atomic.Int64 // the longest delay, in ns
	late   atomic.Int64 // messages delayed by more than tolerance

	mu     sync.Mutex
	failed map[int]uint32 // failed messages of each subject
	why    error          // the first error
}

// sending is a message to be published.
type sending struct {
	subject int
	seq     uint32
	due     time.Duration
}

const (
	maxLanes   = 16
	laneLength = 64
	// tolerance is how late a message may be published before it counts as late: pauses of the scheduler are normal.
	tolerance = 20 * time.Millisecond
)

// openPublisher connects to NATS, or prepares the POSTs.
func openPublisher(plan *Plan, target *target, tag []byte, window *window) (*publisher, error) {
	p := &publisher{plan: plan, target: target, tag: tag, window: window, failed: map[int]uint32{}, payload: newPayload(tag, plan.Size)}
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
		return nil, fmt.Errorf("NATS accepts payloads of at most %d bytes: give a smaller --size", conn.MaxPayload())
	}
	p.close, p.send = conn.Close, conn.Publish
	return p, nil
}

// NATSOptions are the options of the publisher's connection: messages published while NATS is disconnected are not buffered, because
// they would be sent too late to count.
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
			payload := newPayload(p.tag, p.plan.Size)
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

// failure returns the first error of publishing.
func (p *publisher) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

// run publishes when the throttle allows it, and returns how many messages it has published.
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

// isCut reports whether nothing can be published any more because NATS is disconnected. After a failed POST, the next may succeed.
func (p *publisher) isCut() bool { return p.plan.Post == "" && p.failure() != nil }
