package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// New starts a table. changed is called from the table's own goroutine if feeds may have to be placed differently.
func New(a js.API, config Config, changed func(), log *slog.Logger) (*Table, error) {
	if config.Began == nil {
		config.Began = func(_ string, created time.Time) time.Time { return created }
	}
	t := &Table{
		api: a.Watched(), config: config, keep: config.History.streams(), changed: changed, log: log,
		wake:       make(chan struct{}, 1),
		failures:   rate.Sometimes{Interval: time.Minute},
		beyond:     rate.Sometimes{Interval: time.Minute},
		doubts:     newTodo(),
		most:       maxQuestions,
		overlaps:   map[bridge.Subject]*overlap{},
		used:       map[string]bool{},
		missed:     map[string]missed{},
		unreadable: map[string]*bar{},
	}
	t.own = make([]own, len(t.keep))
	err := t.api.Keep(func() error {
		_, err := t.api.NATS().Subscribe(advisorySubjects, t.advised)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to what JetStream tells of streams: %w", err)
	}
	t.alive, t.stop = context.WithCancel(context.Background())
	t.running.Go(t.run)
	return t, nil
}

// Close stops the table, and waits for it.
func (t *Table) Close() {
	t.stop()
	t.running.Wait()
}

// run keeps the table: while a link is up, it reads what is to be read. Beside that, it ends what has reached its time limit.
func (t *Table) run() {
	interval := time.NewTicker(tableInterval)
	defer interval.Stop()
	again := time.NewTimer(0)
	defer again.Stop()
	quiet := 0
	for changed := t.api.Changed(); ; {
		select {
		case <-interval.C:
			now := t.Current()
			if quiet++; quiet >= tableRefused || now == nil || now.absence.remedy == "" {
				quiet = 0
				t.Look()
			}
			continue
		case <-changed:
			changed = t.api.Changed()
		case <-t.wake:
		case <-again.C:
		case <-t.alive.Done():
			return
		}
		wait := tableInterval
		if link := t.api.Link(); link.IsUp() {
			wait = t.round(link)
		}
		again.Reset(min(wait, t.expire()))
	}
}

// expire ends what has reached its time limit, and returns the time until the next.
func (t *Table) expire() time.Duration {
	now := time.Now()
	t.mu.Lock()
	gone, next, isOver := t.giveUp(now)
	due, isLifted := t.retryDue(now)
	ended := isOver || isLifted
	if ended {
		t.news.Send()
	}
	t.mu.Unlock()
	for _, stream := range gone {
		t.log.Warn("a stream was deleted; its readers get a gap and have no history, and messages on its subjects are not stored",
			"stream", stream.Name(), "subjects", stream.Info.Config.Subjects)
	}
	if ended {
		t.changed()
	}
	return min(next, due)
}
