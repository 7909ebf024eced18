package runs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/runs"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/embed"
)

// patience bounds every wait. It decides only how long a failure takes.
const patience = 20 * time.Second

// fixture is a NATS server with a stream of answers, and a worker's connection.
type fixture struct {
	dial   source.Dialer
	worker *nats.Conn
}

func start(t *testing.T, isKept bool) *fixture {
	t.Helper()
	var config embed.Config
	config.Dir.Value = t.TempDir()
	server, err := embed.Start(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	worker, err := server.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(worker.Close)
	f := &fixture{server.Dial, worker}
	if isKept {
		f.keep(t)
	}
	return f
}

// keep makes a stream of answers.
func (f *fixture) keep(t *testing.T) {
	t.Helper()
	js, err := jetstream.New(f.worker)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "ANSWERS", Subjects: []string{"answers.>"}}); err != nil {
		t.Fatal(err)
	}
}

// stream returns the stream of answers.
func (f *fixture) stream(t *testing.T) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(f.worker)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(within(t), "ANSWERS")
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// bridge returns the runs of another bridge, and its hub.
func (f *fixture) bridge(t *testing.T, change func(*runs.Config)) (*runs.Runs, *bridge.Hub) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	from, err := source.Open(f.dial, source.Config{}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(from.Close)
	hub := bridge.NewHub(from, time.Minute, bridge.DefaultMemory)
	t.Cleanup(hub.Close)
	config := runs.Config{Hub: hub, Store: from, NATS: from, Answers: "answers", Silence: time.Hour, Log: log}
	if change != nil {
		change(&config)
	}
	r := runs.Open(config)
	t.Cleanup(r.Close)
	return r, hub
}

// answer makes the worker answer questions, and returns a channel of them.
func (f *fixture) answer(t *testing.T, answers ...string) <-chan *nats.Msg {
	t.Helper()
	heard := make(chan *nats.Msg, 100)
	if _, err := f.worker.Subscribe("llm.echo", func(m *nats.Msg) {
		for _, answer := range answers {
			_ = m.Respond([]byte(answer))
		}
		heard <- m
	}); err != nil {
		t.Fatal(err)
	}
	if err := f.worker.Flush(); err != nil {
		t.Fatal(err)
	}
	return heard
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func question(key string) bridge.Question {
	return bridge.Question{Subject: "llm.echo", Key: key, Data: []byte("q")}
}

// awaitEnd waits until a bridge, too, has seen the end of its run.
func awaitEnd(r *runs.Runs) {
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); r.Stats().Ended == 0 && time.Now().Before(end); {
		<-again.C
	}
}

// ask asks, and fails the test if that fails.
func ask(t *testing.T, r *runs.Runs, q bridge.Question) bridge.Run {
	t.Helper()
	run, done, err := r.Ask(within(t), q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	return run
}

// events reads a run to its end, and returns its events as "type" or data.
func events(t *testing.T, hub *bridge.Hub, run bridge.Run) (got []string) {
	t.Helper()
	reader, err := hub.Read([]bridge.Subject{run.Subject}, bridge.Framing{Run: true}, run.Begin)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	more := bridge.NewSignal()
	for !reader.Ended() {
		frames := reader.Next(nil, 1<<20, more)
		for _, frame := range frames {
			var event, data string
			if n, _ := fmt.Sscanf(string(frame), "event: %s\ndata: %s", &event, &data); n == 0 {
				_, _ = fmt.Sscanf(string(frame), "data: %s", &event)
			}
			if event != "" && event != bridge.EventSynced {
				got = append(got, event)
			}
		}
		if len(frames) == 0 {
			select {
			case <-more:
			case <-within(t).Done():
				t.Fatalf("no end; got %q", got)
			}
		}
	}
	return got
}

// The asker, and any reader on any bridge, now or later, sees each answer once and in order, then the end.
func TestRunIsReadOnEveryBridge(t *testing.T) {
	for _, isKept := range []bool{true, false} {
		t.Run(fmt.Sprint("kept ", isKept), func(t *testing.T) {
			f := start(t, isKept)
			one, hub := f.bridge(t, nil)
			f.answer(t, "a", "b", "c", "")
			run := ask(t, one, question(""))
			want := []string{"a", "b", "c", bridge.EventEnd}
			if got := events(t, hub, run); !slices.Equal(got[len(got)-4:], want) {
				t.Errorf("the asker got %q", got)
			}
			awaitEnd(one)
			others := []*runs.Runs{one}
			hubs := []*bridge.Hub{hub}
			if isKept {
				other, otherHub := f.bridge(t, nil)
				others, hubs = append(others, other), append(hubs, otherHub)
			}
			for i, r := range others {
				late, done, err := r.Follow(within(t), run.Subject, bridge.Framing{}, 0)
				if err != nil || !late.IsKnown || late.State.Kind != bridge.RunEnds {
					t.Fatalf("bridge %d: %+v, %v", i, late, err)
				}
				done()
				if got := events(t, hubs[i], late); !slices.Equal(got, append([]string{bridge.EventOpen}, want...)) {
					t.Errorf("bridge %d: a later reader got %q", i, got)
				}
			}
			if stats := one.Stats(); stats.Asked != 1 || stats.Ended != 1 || stats.Open != 0 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

// A question that is sent again with its key is asked once, whichever bridge gets it. Another caller's key is another's.
func TestKeyFindsItsRun(t *testing.T) {
	f := start(t, true)
	one, _ := f.bridge(t, nil)
	two, _ := f.bridge(t, nil)
	heard := f.answer(t, "a")
	first := ask(t, one, question("k"))
	for _, r := range []*runs.Runs{one, two} {
		if again := ask(t, r, question("k")); again.Subject != first.Subject {
			t.Errorf("%s and %s", first.Subject, again.Subject)
		}
	}
	theirs := question("k")
	theirs.Caller.Name = "eve"
	if other := ask(t, two, theirs); other.Name == first.Name || other.Subject == first.Subject {
		t.Error("another caller finds the run")
	}
	if other := ask(t, two, question("")); other.Name == first.Name || !isRun(one, other) || !isRun(one, first) {
		t.Errorf("names %s and %s", first.Name, other.Name)
	}
	<-heard
	<-heard
	<-heard
	if len(heard) > 0 {
		t.Error("a question was asked twice")
	}
}

// isRun reports whether a run is found by its name.
func isRun(r *runs.Runs, run bridge.Run) bool {
	subject, is := r.Subject(bridge.Caller{}, run.Name)
	return is && subject == run.Subject
}

// A question that nobody has heard is refused at once, and asked again with the same key.
func TestUnheardQuestionCanBeAskedAgain(t *testing.T) {
	f := start(t, true)
	r, hub := f.bridge(t, nil)
	for range 2 {
		if _, _, err := r.Ask(within(t), question("k")); !errors.Is(err, bridge.ErrNoResponders) {
			t.Fatalf("got %v", err)
		}
	}
	f.answer(t, "a", "")
	if got := events(t, hub, ask(t, r, question("k"))); !slices.Equal(got, []string{bridge.EventOpen, "a", bridge.EventEnd}) {
		t.Errorf("got %q", got)
	}
	awaitEnd(r)
	if stats := r.Stats(); stats.Unheard != 2 || stats.Open != 0 {
		t.Errorf("%+v", stats)
	}
}

// A run that nobody answers fails, for readers on all bridges. A run that does not exist is not ended, and so not made.
func TestSilenceIsTold(t *testing.T) {
	f := start(t, true)
	asking, _ := f.bridge(t, nil)
	f.answer(t, "a")
	run := ask(t, asking, question(""))
	asking.Close() // as a bridge that was killed
	impatient, hub := f.bridge(t, func(c *runs.Config) { c.Silence = 50 * time.Millisecond })
	none, done, err := impatient.Follow(within(t), "answers.-.NONE", bridge.Framing{}, 0)
	if err != nil || !none.IsKnown || !none.State.IsEmpty() {
		t.Fatalf("%+v, %v", none, err)
	}
	defer done()
	found, leave, err := impatient.Follow(within(t), run.Subject, bridge.Framing{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	if got := events(t, hub, found); !slices.Equal(got, []string{bridge.EventOpen, "a", bridge.EventError}) {
		t.Errorf("got %q", got)
	}
	stream := f.stream(t)
	if _, err := stream.GetLastMsgForSubject(within(t), "answers.-.NONE"); !errors.Is(err, jetstream.ErrMsgNotFound) {
		t.Errorf("a reader has made a run: %v", err)
	}
}

// late publishes an answer just before each end by silence, once.
type late struct {
	runs.NATS
	answer func()
}

func (l *late) Publish(ctx context.Context, subject bridge.Subject, header map[string][]string, data []byte) (bridge.Receipt, error) {
	if header[bridge.HeaderRun] != nil && header[bridge.HeaderRun][0] == bridge.RunSilent {
		l.answer()
	}
	return l.NATS.Publish(ctx, subject, header, data)
}

// A bridge that has not received the newest answer yet does not end the run behind it.
func TestSilenceIsNotToldBehindAnAnswer(t *testing.T) {
	f := start(t, true)
	heard := f.answer(t, "a")
	asked := sync.OnceValue(func() *nats.Msg { return <-heard })
	answers := []string{"b", ""}
	answer := func() {
		if len(answers) > 0 {
			_ = f.worker.Publish(asked().Reply, []byte(answers[0]))
			_ = f.worker.Flush() // which may end with the test: the last answer ends it
			answers = answers[1:]
		}
	}
	asking, hub := f.bridge(t, func(c *runs.Config) {
		c.Silence, c.NATS = 300*time.Millisecond, &late{c.NATS, answer}
	})
	run, done, err := asking.Ask(within(t), question(""))
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if got := events(t, hub, run); !slices.Equal(got, []string{bridge.EventOpen, "a", "b", bridge.EventEnd}) {
		t.Errorf("got %q", got)
	}
	if stats := asking.Stats(); stats.Silent > 0 {
		t.Errorf("%+v", stats)
	}
}

// Stop reaches the worker, on its reply subject with .stop.
func TestStopReachesTheWorker(t *testing.T) {
	f := start(t, true)
	r, _ := f.bridge(t, nil)
	heard := f.answer(t, "a")
	run := ask(t, r, question(""))
	stops, err := f.worker.SubscribeSync((<-heard).Reply + ".stop")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.worker.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := r.Stop(within(t), run.Subject); err != nil {
		t.Fatal(err)
	}
	if stop, err := stops.NextMsg(patience); err != nil || len(stop.Data) > 0 {
		t.Errorf("got %+v, %v", stop, err)
	}
}

// An account may have so many runs open, and all together: without a limit, whoever has many addresses could ask without end, and read no
// answer. One that has ended makes room, and others have their own.
func TestOpenRunsAreLimited(t *testing.T) {
	f := start(t, true)
	r, hub := f.bridge(t, func(c *runs.Config) { c.Each, c.All = 1, 2 })
	heard := f.answer(t, "a")
	run := ask(t, r, question(""))
	if _, _, err := r.Ask(within(t), question("")); !errors.Is(err, bridge.ErrTooManyRuns) {
		t.Errorf("got %v", err)
	}
	other := question("")
	other.Account = 1
	ask(t, r, other)
	third := question("")
	third.Account = 2
	if _, _, err := r.Ask(within(t), third); !errors.Is(err, bridge.ErrBusy) {
		t.Errorf("got %v", err)
	}
	if err := (<-heard).Respond(nil); err != nil {
		t.Fatal(err)
	}
	events(t, hub, run)
	awaitEnd(r)
	ask(t, r, question(""))
}
