package e2e

import (
	"context"
	"encoding/json"
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

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// sender tries to publish a message until it is acknowledged, and gives its sequence: 0 where no stream holds it. An
// error means that nobody will ever know.
type sender func(ctx context.Context, m *bridgetest.Message) (seq uint64, err error)

// padding makes messages longer. It is no part of what identifies them.
const padding = "~"

// attempt is how long one try may take, and retryPublish how long a publisher waits before the next.
const (
	attempt      = 3 * time.Second
	retryPublish = 20 * time.Millisecond
)

var (
	// errRefused: the message was not accepted, and never will be.
	errRefused = errors.New("refused")
	// errUnstored: it was accepted as one that no stream holds, though one does. It may have been seen or not.
	errUnstored = errors.New("202 although a stream holds the subject")
)

// publish starts a publisher that sends one message after the other, so often, until there are enough. The short form publishes a third
// as often: it waits for as many messages after each fault.
func (c *chaos) publish(subject string, every time.Duration, send sender) {
	acknowledged := new(atomic.Int64)
	c.mu.Lock()
	c.ends, c.acknowledged = append(c.ends, subject), append(c.acknowledged, acknowledged)
	name := fmt.Sprintf("%s by %d", subject, len(c.ends))
	c.mu.Unlock()
	c.publishing.Go(func() {
		pace := time.NewTicker(every * time.Duration(length(3, 1)))
		defer pace.Stop()
		for i := 1; ; i++ {
			select {
			case <-pace.C:
				round := c.round.Load()
				c.send(subject, "", fmt.Sprintf("%d %s%s%d%s", i, name, inRound, round, strings.Repeat(padding, c.padding)), send)
				acknowledged.Store(round)
			case <-c.ctx.Done():
				return
			case <-c.enough:
				c.send(subject, "", theEnd+name, send)
				return
			}
		}
	})
}

// send publishes one message.
func (c *chaos) send(subject, event, data string, send sender) {
	c.t.Helper()
	m := c.ledger.Publish(c.t, subject, event, data)
	seq, err := send(c.ctx, m)
	switch {
	case err == nil:
		m.Acknowledged(seq)
		c.published.Add(1)
	case errors.Is(err, errRefused):
		m.Refused()
		c.publishFailed.Do(func() { c.t.Errorf("publish %q: %v", data, err) })
	default:
		c.publishFailed.Do(func() { c.t.Errorf("publish %q: nobody knows what became of it: %v", data, err) })
	}
}

// retried tries until it works.
func retried(try func(ctx context.Context) (uint64, error)) func(context.Context) (uint64, error) {
	return func(ctx context.Context) (uint64, error) {
		again := time.NewTicker(retryPublish)
		defer again.Stop()
		for {
			one, cancel := context.WithTimeout(ctx, attempt)
			seq, err := try(one)
			cancel()
			if err == nil || errors.Is(err, errRefused) || errors.Is(err, errUnstored) {
				return seq, err
			}
			select {
			case <-ctx.Done():
				return 0, err
			case <-again.C:
			}
		}
	}
}

// byPost publishes by POST, to the nodes in turn, with an Idempotency-Key. It is for one publisher.
func byPost(t *testing.T, nodes ...*chaosBridge) sender {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	next := 0
	return func(ctx context.Context, m *bridgetest.Message) (uint64, error) {
		return retried(func(ctx context.Context) (uint64, error) {
			next++
			url := "http://" + nodes[next%len(nodes)].address + "/events/" + m.Subject
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(m.Data))
			if err != nil {
				return 0, err
			}
			request.Header.Set("Idempotency-Key", strings.ReplaceAll(strings.TrimRight(m.Data, padding), " ", "_"))
			response, err := client.Do(request)
			if err != nil {
				return 0, err
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil {
				return 0, err
			}
			var receipt struct{ Seq uint64 }
			switch status := response.StatusCode; {
			case status == http.StatusCreated:
				err := json.Unmarshal(text, &receipt)
				return receipt.Seq, err
			case status == http.StatusServiceUnavailable && response.Header.Get("Retry-After") == "":
				return 0, fmt.Errorf("%w: 503 without Retry-After", errRefused)
			case status >= 500:
				return 0, fmt.Errorf("%d %s", status, text)
			case status == http.StatusAccepted:
				return 0, errUnstored
			default:
				return 0, fmt.Errorf("%w: %d %s", errRefused, status, text)
			}
		})(ctx)
	}
}

// byNATS publishes to JetStream, with a Nats-Msg-Id.
func byNATS(t *testing.T, urls ...string) sender {
	js := connectJetStream(t, urls...)
	return func(ctx context.Context, m *bridgetest.Message) (uint64, error) {
		return retried(func(ctx context.Context) (uint64, error) {
			message := nats.NewMsg(m.Subject)
			message.Data = []byte(m.Data)
			if m.Event != "" {
				message.Header.Set("Tailwater-Event", m.Event)
			}
			id := strings.TrimRight(m.Data, padding) + m.Event
			receipt, err := js.PublishMsg(ctx, message, jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0))
			if err != nil {
				return 0, err
			}
			return receipt.Sequence, nil
		})(ctx)
	}
}

// connectJetStream connects a client that outlives its servers' restarts.
func connectJetStream(t *testing.T, urls ...string) jetstream.JetStream {
	t.Helper()
	closed := make(chan struct{})
	conn, err := nats.Connect(strings.Join(urls, ","),
		nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.RetryOnFailedConnect(true),
		nats.ReconnectBufSize(-1), // what cannot be sent now is tried again, not sent late
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	noError(t, err)
	t.Cleanup(func() {
		conn.Close()
		<-closed
	})
	js, err := jetstream.New(conn)
	noError(t, err)
	return js
}

// createStream makes the stream of these tests, as a user would.
func createStream(t *testing.T, js jetstream.JetStream, change func(*jetstream.StreamConfig)) {
	t.Helper()
	config := jetstream.StreamConfig{Name: "CHAT", Subjects: []string{"chat.>"}, AllowDirect: true}
	if change != nil {
		change(&config)
	}
	var problem error
	t.Cleanup(func() {
		if t.Failed() && problem != nil {
			t.Logf("create the stream: %v", problem)
		}
	})
	eventually(t, "the stream can be made", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), attempt)
		defer cancel()
		_, problem = js.CreateOrUpdateStream(ctx, config)
		return problem == nil
	})
}

// gate stops publishers while it is locked.
type gate struct{ sync.RWMutex }

// before returns a sender that waits at the gate before each message.
func (g *gate) before(send sender) sender {
	return func(ctx context.Context, m *bridgetest.Message) (uint64, error) {
		g.RLock()
		defer g.RUnlock()
		return send(ctx, m)
	}
}
