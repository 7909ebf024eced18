package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// The chaos tests run the bridge as a process, let clients and publishers note all they see in a ledger, break things
// meanwhile, and hold the ledger against what is promised. Their short form takes seconds; `make soak` runs the long one.
var soak = flag.Bool("soak", false, "run the chaos tests in their long form, and those that take long")

// onlySoak skips a test that waits for longer than the short form of the suite may take.
func onlySoak(t *testing.T) {
	t.Helper()
	if !*soak {
		t.Skip("make soak runs it")
	}
}

// times is how often a fault is brought about.
func times(short int) int { return length(short, 10) }

// length gives how much there is to do.
func length(short, long int) int {
	if *soak {
		return long
	}
	return short
}

// allowed is how long a connection or a whole chaos test may take.
func allowed() time.Duration {
	if *soak {
		return 5 * time.Minute
	}
	return patience
}

// chaos is one such test.
type chaos struct {
	t      *testing.T
	ctx    context.Context
	ledger *bridgetest.Ledger

	clients    []*chaosClient
	reading    sync.WaitGroup
	publishing sync.WaitGroup
	enough     chan struct{} // closed when publishers are to come to their end
	published  atomic.Int64
	faultTally
	// publishFailed reports the first publisher that failed: the others do for the same reason.
	publishFailed sync.Once

	mu   sync.Mutex
	ends []string // the subjects of publishers
}

// theEnd begins the last message of every publisher.
const theEnd = "the end of "

// startChaos begins a test that runs beside others.
func startChaos(t *testing.T) *chaos {
	t.Helper()
	t.Parallel()
	return newChaos(t)
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), allowed())
	c := &chaos{t: t, ctx: ctx, ledger: bridgetest.NewLedger(), enough: make(chan struct{})}
	t.Cleanup(func() {
		cancel() // of a test that has failed
		c.publishing.Wait()
		c.reading.Wait()
	})
	return c
}

// chaosClient counts what a test waits for.
type chaosClient struct {
	*bridgetest.Client
	events, messages, gaps, resets atomic.Int64
	round                          atomic.Int64 // the latest round of a message that it has; see strike
	silence                        time.Duration
	lastMessage                    time.Time
}

// read starts clients of a path on the nodes, each connection with the next node, and gives them. The filter is what the
// path reads.
func (c *chaos) read(n int, path, filter string, cut func() bridgetest.Cut, nodes ...*chaosBridge) []*chaosClient {
	var added []*chaosClient
	for i := range n {
		name := fmt.Sprintf("client %d of %s", len(c.clients)+i+1, path)
		isJSON := strings.Contains(path, "format=json") || strings.Contains(filter, ">")
		client := &chaosClient{Client: &bridgetest.Client{Log: c.ledger.NewLog(name, isJSON, filter), Path: path, Cut: cut}}
		next := rand.IntN(len(nodes))
		client.Node = func() string { next++; return nodes[next%len(nodes)].address }
		ended := 0
		client.Done = func(event bridgetest.Event) bool {
			client.events.Add(1)
			switch event.Type {
			case "tailwater:gap":
				client.gaps.Add(1)
			case "tailwater:reset":
				client.resets.Add(1)
			case "message":
				client.messages.Add(1)
				client.heard(event)
			}
			if strings.Contains(event.Data, theEnd) {
				ended++
			}
			return ended > 0 && ended >= c.endsOf(filter)
		}
		added = append(added, client)
	}
	c.clients = append(c.clients, added...)
	for _, client := range added {
		c.reading.Go(func() {
			if err := client.Run(c.ctx); err != nil {
				c.t.Error(err)
			}
		})
	}
	return added
}

func (c *chaos) endsOf(filter string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, subject := range c.ends {
		if above, wild := strings.CutSuffix(filter, ">"); subject == filter || wild && strings.HasPrefix(subject, above) {
			n++
		}
	}
	return n
}

// await waits until a condition that the chaos brings about holds.
func (c *chaos) await(what string, holds func() bool) {
	c.t.Helper()
	for begin := time.Now(); !holds(); {
		select {
		case <-time.After(untilNextLook(begin)):
		case <-c.ctx.Done():
			c.t.Errorf("%s: not in time", what)
			c.finish(bridgetest.Rules{}) // says what clients saw instead
			c.t.FailNow()
		}
	}
}

// awaitAll waits until something holds for every client.
func (c *chaos) awaitAll(what string, holds func(*chaosClient) bool) {
	c.t.Helper()
	c.await(what, func() bool {
		for _, client := range c.clients {
			if !holds(client) {
				return false
			}
		}
		return true
	})
}

// awaitOpen waits until every client has its first event.
func (c *chaos) awaitOpen() {
	c.t.Helper()
	c.awaitAll("every client is open", func(client *chaosClient) bool { return client.events.Load() > 0 })
}

// awaitMore waits until that many messages more were acknowledged.
func (c *chaos) awaitMore(n int) {
	c.t.Helper()
	until := c.published.Load() + int64(n)
	c.await(fmt.Sprintf("%d messages more", n), func() bool { return c.published.Load() >= until })
}

func (c *chaos) resumes() (n int) {
	for _, client := range c.clients {
		n += client.Resumes()
	}
	return n
}

// finish lets the publishers come to their end and the clients read up to it, and checks.
func (c *chaos) finish(rules bridgetest.Rules) {
	c.t.Helper()
	close(c.enough)
	c.publishing.Wait()
	c.reading.Wait()
	c.t.Logf("%d resumes", c.resumes())
	c.report(c.ledger.Verify(c.t, rules))
}

// readers starts the usual clients of bridges: some that read one subject, and some that read all, and leave now and then.
func (c *chaos) readers(bridges ...*chaosBridge) {
	c.t.Helper()
	c.read(6, "/events/chat.a", "chat.a", nil, bridges...)
	c.read(6, "/events/chat.%3E", "chat.>", rareCut, bridges...)
	c.awaitOpen()
}

// beside starts the usual clients of bridges, and publishers of two subjects: by POST, and over the first bridge's NATS.
func (c *chaos) beside(every time.Duration, bridges ...*chaosBridge) {
	c.t.Helper()
	c.readers(bridges...)
	c.publish("chat.a", every, byPost(c.t, bridges...))
	c.publish("chat.b", every, byNATS(c.t, bridges[0].nats))
}

// randomCut is a cut somewhere in the next kilobytes, or behind some event, in both ways.
func randomCut() bridgetest.Cut {
	cut := bridgetest.Cut{Reset: rand.IntN(2) == 0}
	if rand.IntN(3) == 0 {
		cut.Events = 1 + rand.IntN(20)
	} else {
		cut.Bytes = 150 + rand.IntN(4000)
	}
	return cut
}

// rareCut leaves more time between cuts.
func rareCut() bridgetest.Cut {
	return bridgetest.Cut{Bytes: 1000 + rand.IntN(50_000), Reset: rand.IntN(2) == 0}
}
