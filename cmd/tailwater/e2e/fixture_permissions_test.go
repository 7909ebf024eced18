package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

// The streams that the exercise reads. The first allows no direct gets.
var (
	logStream  = jetstream.StreamConfig{Name: "LOG", Subjects: []string{"log.>"}, MaxAge: time.Hour}
	chatStream = jetstream.StreamConfig{Name: "TAILWATER", Subjects: []string{"chat.>", "answers.>"}, MaxAge: time.Hour, AllowDirect: true}
	liveStream = jetstream.StreamConfig{Name: "LIVE", Subjects: []string{"live.>"}, MaxAge: time.Hour, AllowDirect: true}
	bucket     = jetstream.KeyValueConfig{Bucket: "config"}
)

// exercise makes a bridge use everything that it can use at NATS. It ends at the first step that fails, or with the context.
type exercise struct {
	ctx     context.Context
	base    string              // of the bridge's URLs
	js      jetstream.JetStream // of someone who may do everything
	live    bool                // live.> may be read as well, and nothing holds it
	restart func()              // of nats-server; nil for none
}

func (g *guarded) exercise() *exercise {
	return &exercise{ctx: g.log.context, base: g.URL(), js: g.js, live: g.live}
}

func isLive(s settings) bool { return strings.Contains(s["ANONYMOUS_SUBSCRIBE"], "live.>") }

func (e *exercise) run() error {
	ctx, leave := context.WithCancel(e.ctx)
	defer leave() // all connections
	e.ctx = ctx
	steps := []struct {
		name string
		do   func() error
	}{
		{"who is here", e.presence},
		{"stored", e.stored},
		{"unstored", e.unstored},
		{"questions", e.questions},
		{"large", e.large},
		{"direct get", e.directGet},
		{"restart", e.restarted},
		{"streams that go and come, and the time", e.streams},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// stored writes what is stored, and reads it in every way.
func (e *exercise) stored() error {
	if err := e.post("/events/chat.a", http.StatusCreated); err != nil {
		return err
	}
	for path, subject := range map[string]string{"/events/chat.a": "chat.a", "/events/log.a": "log.a", "/config/a": "$KV.config.a"} {
		reader, err := e.read(path)
		if err != nil {
			return err
		}
		if err := e.publish(reader, subject, "stored on "+subject); err != nil {
			return err
		}
		for _, query := range []string{"since=all", "since=last", "since=10m"} {
			if err := e.want(http.MethodGet, path+"?poll=1&"+query, http.StatusOK, "stored on "+subject); err != nil {
				return err
			}
		}
		if err := e.want(http.MethodHead, path, http.StatusOK, ""); err != nil {
			return err
		}
	}
	return nil
}

// presence waits until the bridge has listed who is here, in its bucket.
func (e *exercise) presence() error {
	reader, err := e.read("/events/chat.a?presence=1&name=Ada")
	if err != nil {
		return err
	}
	return until(reader, bridge.EventPresence, "")
}

func (e *exercise) unstored() error {
	if !e.live {
		return nil
	}
	reader, err := e.read("/events/live.a")
	if err != nil {
		return err
	}
	if err := e.post("/events/live.a", http.StatusAccepted); err != nil {
		return err
	}
	return until(reader, "message", "posted")
}

// questions asks, and reads the answers.
func (e *exercise) questions() error {
	worker, err := e.js.Conn().Subscribe("llm.echo", func(m *nats.Msg) {
		_ = m.Respond([]byte("answer"))
		_ = m.Respond(nil)
	})
	if err != nil {
		return err
	}
	defer func() { _ = worker.Unsubscribe() }()
	if err := e.js.Conn().FlushWithContext(e.ctx); err != nil {
		return err
	}
	return e.want(http.MethodPost, "/ask/echo", http.StatusOK, "answer")
}

// large stores so much at once that the bridge has to ask for more.
func (e *exercise) large() error {
	reader, err := e.read("/events/chat.large")
	if err != nil {
		return err
	}
	for range 8 {
		if _, err := e.js.Publish(e.ctx, "chat.large", bytes.Repeat([]byte("x"), 300<<10)); err != nil {
			return err
		}
	}
	return e.publish(reader, "chat.large", "behind it")
}

func (e *exercise) time() error {
	sub, err := e.js.Conn().SubscribeSync(string(node.ClockSubject))
	if err == nil {
		_, err = sub.NextMsgWithContext(e.ctx)
	}
	return err
}

// directGet lets a stream allow direct gets, and waits until the bridge makes use of it.
func (e *exercise) directGet() error {
	asked, err := e.js.Conn().SubscribeSync("$JS.API.DIRECT.GET." + logStream.Name)
	if err != nil {
		return err
	}
	allowing := logStream
	allowing.AllowDirect = true
	if _, err := e.js.UpdateStream(e.ctx, allowing); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if n, _, _ := asked.Pending(); n > 0 {
			return asked.Unsubscribe()
		}
		subject := fmt.Sprint("log.direct.", i) // each is read for the first time
		if _, err := e.js.Publish(e.ctx, subject, []byte("stored")); err != nil {
			return err
		}
		if err := e.want(http.MethodGet, "/events/"+subject+"?poll=1", http.StatusOK, "stored"); err != nil {
			return err
		}
	}
}

func (e *exercise) restarted() error {
	if e.restart == nil {
		return nil
	}
	stored, err := e.read("/events/chat.a")
	if err != nil {
		return err
	}
	e.restart()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for range again.C {
		if _, err := e.js.Publish(e.ctx, "chat.a", []byte("after the restart")); err == nil {
			break
		}
		if e.ctx.Err() != nil {
			return context.Cause(e.ctx)
		}
	}
	if err := until(stored, "message", "after the restart"); err != nil {
		return err
	}
	return e.stored()
}

// streams lets each stream go and come again, under the eyes of a reader: without it, the subject is read all the same.
func (e *exercise) streams() error {
	keyValues, err := e.js.Stream(e.ctx, "KV_config")
	if err != nil {
		return err
	}
	there := map[string]jetstream.StreamConfig{
		"/events/chat.b": chatStream, "/events/log.b": logStream, "/config/b": keyValues.CachedInfo().Config,
	}
	results := make(chan error, len(there)+2)
	for path, config := range there {
		go func() { results <- e.goAndCome(path, config) }()
	}
	go func() { results <- e.comeAndGo() }()
	go func() { results <- e.time() }()
	for range cap(results) {
		err = errors.Join(err, <-results)
	}
	return err
}

func (e *exercise) goAndCome(path string, config jetstream.StreamConfig) error {
	subject := strings.Replace(config.Subjects[0], ">", "b", 1)
	reader, err := e.read(path)
	if err != nil {
		return err
	}
	if err := e.goes(reader, subject, config); err != nil {
		return fmt.Errorf("without the stream %s: %w", config.Name, err)
	}
	return e.come(reader, subject, config)
}

// comeAndGo makes a stream whose name nobody could know.
func (e *exercise) comeAndGo() error {
	if !e.live {
		return nil
	}
	reader, err := e.read("/events/live.b")
	if err != nil {
		return err
	}
	if err := e.come(reader, "live.b", liveStream); err != nil {
		return fmt.Errorf("with the stream %s: %w", liveStream.Name, err)
	}
	if err := e.want(http.MethodGet, "/events/live.b?poll=1", http.StatusOK, "stored again"); err != nil {
		return err
	}
	return e.goes(reader, "live.b", liveStream)
}

func (e *exercise) goes(reader *bridgetest.Stream, subject string, config jetstream.StreamConfig) error {
	if err := e.js.DeleteStream(e.ctx, config.Name); err != nil {
		return err
	}
	if err := until(reader, bridge.EventGap, ""); err != nil {
		return err
	}
	if err := e.js.Conn().Publish(subject, []byte("not stored")); err != nil {
		return err
	}
	if err := until(reader, "message", "not stored"); err != nil || subject != "chat.b" {
		return err
	}
	return e.post("/events/"+subject, http.StatusAccepted)
}

func (e *exercise) come(reader *bridgetest.Stream, subject string, config jetstream.StreamConfig) error {
	if _, err := e.js.CreateStream(e.ctx, config); err != nil {
		return err
	}
	if err := until(reader, bridge.EventGap, ""); err != nil {
		return err
	}
	return e.publish(reader, subject, "stored again")
}

// publish stores a message, and waits for it.
func (e *exercise) publish(reader *bridgetest.Stream, subject, data string) error {
	if _, err := e.js.Publish(e.ctx, subject, []byte(data)); err != nil {
		return err
	}
	return until(reader, "message", data)
}

// until reads up to an event; data may be empty for any.
func until(reader *bridgetest.Stream, kind, data string) error {
	for {
		event, err := reader.Next()
		if err != nil {
			return fmt.Errorf("wait for %s %s: %w", kind, data, err)
		}
		if event.Type == kind && (data == "" || event.Data == data) {
			return nil
		}
	}
}

// read opens a connection, and waits until it is told that it is open.
func (e *exercise) read(path string) (*bridgetest.Stream, error) {
	response, err := e.ask(http.MethodGet, path, "")
	if err != nil {
		return nil, err
	}
	reader := bridgetest.NewStream(response.Body)
	return reader, until(reader, bridge.EventOpen, "")
}

func (e *exercise) ask(method, path, body string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(e.ctx, method, e.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

func (e *exercise) post(path string, want int) error {
	response, err := e.ask(http.MethodPost, path, "posted")
	if err != nil {
		return err
	}
	return saying(response, want, "")
}

func (e *exercise) want(method, path string, status int, text string) error {
	response, err := e.ask(method, path, "")
	if err != nil {
		return err
	}
	return saying(response, status, text)
}

func saying(response *http.Response, status int, text string) error {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != status || !strings.Contains(string(body), text)) {
		err = fmt.Errorf("%s %s: %s %s", response.Request.Method, response.Request.URL, response.Status, body)
	}
	return err
}
