package outlet

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
)

// logging passes records to a handler from its own goroutine. A handler can block, if nobody reads standard error; event loops do not. Records
// for which there is no room are dropped, and the next record says how many.
type logging struct {
	slog.Handler
	shared *logQueue
}

type logQueue struct {
	records chan logged
	stop    chan struct{}
	dropped atomic.Uint64
	writing sync.WaitGroup
}

type logged struct {
	handler slog.Handler
	record  slog.Record
}

// logBuffer is how many records may wait.
const logBuffer = 64

// startLogging returns a logger whose calls never block, and a function that ends it after the waiting records are passed on.
func startLogging(log *slog.Logger) (_ *slog.Logger, end func()) {
	queue := &logQueue{records: make(chan logged, logBuffer), stop: make(chan struct{})}
	queue.writing.Go(queue.run)
	return slog.New(logging{log.Handler(), queue}), func() {
		close(queue.stop)
		queue.writing.Wait()
	}
}

func (q *logQueue) run() {
	for isOpen := true; isOpen || len(q.records) > 0; {
		select {
		case next := <-q.records:
			q.write(next)
		case <-q.stop:
			isOpen = false
		}
	}
}

func (q *logQueue) write(next logged) {
	if dropped := q.dropped.Swap(0); dropped > 0 {
		next.record.AddAttrs(slog.Uint64("lines_dropped_before", dropped))
	}
	_ = next.handler.Handle(context.Background(), next.record) // slog.Logger ignores the error too
}

// Handle implements slog.Handler.
func (l logging) Handle(_ context.Context, record slog.Record) error {
	select {
	case l.shared.records <- logged{l.Handler, record.Clone()}:
	default:
		l.shared.dropped.Add(1)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (l logging) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logging{l.Handler.WithAttrs(attrs), l.shared}
}

// WithGroup implements slog.Handler.
func (l logging) WithGroup(name string) slog.Handler {
	return logging{l.Handler.WithGroup(name), l.shared}
}
