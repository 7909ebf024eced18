package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// chaosAskers is how many ask at once.
const chaosAskers = 200

// Many ask at once, while bridges and NATS are killed and clients are cut. Each asker, and each who comes later, gets each chunk once and in order,
// and then the end, or is told that the run has failed.
func TestChaosRuns(t *testing.T) {
	onlySoak(t) // TestRunOutlivesItsBridge kills a bridge, too
	server := bridgetest.StartNATSServer(t)
	set := questions(settings{
		"NATS_URL": server.URL(), "HISTORY": "answers.>", "HISTORY_MAX_BYTES": "64MiB", "ANSWERS_SILENCE": "10s", "LIMIT_RUNS": "0", "LIMIT_READ_RATE": "0",
	})
	bridges := []*chaosBridge{startBridge(t, set), startBridge(t, set)}
	ctx, cancel := context.WithTimeout(t.Context(), allowed())
	defer cancel()
	c := &runChaos{t: t, ctx: ctx, bridges: bridges, chunks: 100}
	c.work(server.URL())
	var asking sync.WaitGroup
	for i := range chaosAskers {
		asking.Go(func() { c.asker(i) })
	}
	breaks := []func(){
		func() { bridges[0].kill(); bridges[0].start() },
		func() { server.Kill(); server.Start(t) },
		func() { bridges[1].kill(); bridges[1].start() },
	}
	for round := range 3 {
		for i, do := range breaks {
			c.await(int64(2*(round*len(breaks)+i) + 1))
			do()
		}
	}
	asking.Wait()
	t.Logf("%d complete, %d failed, %d connections, %d chunks", c.complete.Load(), c.failed.Load(), c.connections.Load(), c.received.Load())
	if c.complete.Load() < c.failed.Load() {
		t.Errorf("%d runs are complete, and %d failed", c.complete.Load(), c.failed.Load())
	}
}

// runChaos is the clients and workers of TestChaosRuns.
type runChaos struct {
	t       *testing.T
	ctx     context.Context
	bridges []*chaosBridge
	chunks  int // of each run

	complete, failed, connections, received atomic.Int64
}

// await waits until the askers have received so many twentieths of their runs.
func (c *runChaos) await(twentieths int64) {
	all := int64(chaosAskers * c.chunks)
	eventually(c.t, "answers arrive", func() bool {
		return c.received.Load() >= twentieths*all/20 || c.complete.Load()+c.failed.Load() >= chaosAskers
	})
}

// work answers questions, each by itself. Every chunk is acknowledged by the stream.
func (c *runChaos) work(url string) {
	worker := publisher(c.t, url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	js, err := jetstream.New(worker)
	noError(c.t, err)
	var working sync.WaitGroup
	c.t.Cleanup(working.Wait)
	if _, err := worker.Subscribe("llm.chaos", func(m *nats.Msg) {
		working.Go(func() {
			for i := range c.chunks {
				c.store(js, m.Reply, fmt.Sprint(i), fmt.Sprintf("%s %d", m.Data, i))
			}
			c.store(js, m.Reply, "end", "")
		})
	}); err != nil {
		c.t.Fatal(err)
	}
}

// store publishes until it is acknowledged.
func (c *runChaos) store(js jetstream.JetStream, subject, id, data string) {
	for c.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(c.ctx, attempt)
		_, err := js.Publish(ctx, subject, []byte(data), jetstream.WithMsgID(subject+id))
		cancel()
		if err == nil {
			return
		}
	}
}

// asker asks a question, and reads the answer to its end, on whichever bridge is there. Then it reads it again on another.
func (c *runChaos) asker(number int) {
	r := &chaosRun{runChaos: c, number: number}
	for !r.isOver && c.ctx.Err() == nil {
		r.connect()
	}
	switch {
	case !r.isOver:
		c.t.Errorf("run %d: not over; %d chunks", number, r.next)
		return
	case r.isFailed:
		c.failed.Add(1)
	case r.next != c.chunks:
		c.t.Errorf("run %d: it ended with %d chunks", number, r.next)
	default:
		c.complete.Add(1)
	}
	later := &chaosRun{runChaos: c, number: number, path: r.path}
	for later.path != "" && !later.isOver && c.ctx.Err() == nil {
		later.connect()
	}
	if later.next != r.next || later.isFailed != r.isFailed {
		c.t.Errorf("run %d: who came later got %d chunks, failed %t; the asker %d, %t", number, later.next, later.isFailed, r.next, r.isFailed)
	}
}

// chaosRun is a run as one client reads it.
type chaosRun struct {
	*runChaos
	number, next     int
	attempts         int
	path, last       string
	isOver, isFailed bool
}

// connect reads until the connection breaks, the client cuts it, or the run is over.
func (r *chaosRun) connect() {
	r.attempts++
	url := "http://" + r.bridges[(r.number+r.attempts)%len(r.bridges)].address
	ctx, cut := context.WithCancel(r.ctx)
	defer cut()
	method, path := http.MethodGet, r.path
	if path == "" {
		method, path = http.MethodPost, "/ask/chaos"
	}
	request, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(fmt.Sprint("run ", r.number)))
	if err != nil {
		r.t.Error(err)
		return
	}
	if method == http.MethodGet {
		request.Body, request.ContentLength = nil, 0
	}
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Idempotency-Key", fmt.Sprint("key-", r.number))
	if r.last != "" {
		request.Header.Set("Last-Event-ID", r.last)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.pause()
		return
	}
	defer response.Body.Close()
	r.connections.Add(1)
	switch {
	case response.StatusCode == http.StatusServiceUnavailable && method == http.MethodPost:
		r.pause()
		return
	case response.StatusCode != http.StatusOK:
		text, _ := io.ReadAll(response.Body)
		r.t.Errorf("run %d: %s %s after %q: %s %s", r.number, method, path, r.last, response.Status, text)
		r.isOver = true
		return
	}
	if at := response.Header.Get("Content-Location"); at != "" {
		if r.path != "" && r.path != at {
			r.t.Errorf("run %d: at %s, and at %s", r.number, r.path, at)
		}
		r.path = at
	}
	r.read(bridgetest.NewStream(response.Body))
}

// pause waits a moment before the next attempt, as a client does.
func (r *chaosRun) pause() {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-r.ctx.Done():
	}
}

// read reads a connection; every third is cut after some chunks.
func (r *chaosRun) read(stream *bridgetest.Stream) {
	for n := 0; r.attempts%3 != 0 || n < r.chunks/4; n++ {
		event, err := stream.Next()
		if err != nil {
			if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, bridgetest.ErrBroken) {
				r.t.Errorf("run %d: a clean end without the end of the run", r.number)
			}
			return
		}
		if event.ID != "" {
			r.last = event.ID
		}
		switch event.Type {
		case "message":
			if want := fmt.Sprintf("run %d %d", r.number, r.next); event.Data != want {
				r.t.Errorf("run %d: got %q, want %q", r.number, event.Data, want)
				r.isOver = true
				return
			}
			r.next++
			r.received.Add(1)
		case bridge.EventEnd, bridge.EventError:
			r.isOver, r.isFailed = true, event.Type == bridge.EventError
			return
		case bridge.EventGap, bridge.EventReset:
			r.t.Errorf("run %d: %s %s", r.number, event.Type, event.Data)
			return
		case bridge.EventClose:
			r.pause()
		}
	}
}
