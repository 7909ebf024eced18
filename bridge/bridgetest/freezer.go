package bridgetest

import (
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Freezer is a proxy that stops to carry anything on request and keeps its connections open, like a network that loses every packet; or
// that carries slowly.
type Freezer struct {
	*Cutter
	requests, answers sync.RWMutex
	pace              atomic.Int64 // bytes a second in each direction; 0 for as fast as possible
}

// StartFreezer starts a proxy to an address, such as 127.0.0.1:4222. The end of the test stops it.
func StartFreezer(t testing.TB, to string) *Freezer {
	t.Helper()
	f := &Freezer{}
	f.Cutter = startProxy(t, to, f.carry)
	return f
}

// Freeze stops the proxy until thaw is called, or the test ends.
func (f *Freezer) Freeze(t testing.TB) (thaw func()) {
	requests, answers := f.FreezeRequests(t), f.FreezeAnswers(t)
	return func() {
		requests()
		answers()
	}
}

// FreezeRequests is Freeze for what is sent to the server.
func (f *Freezer) FreezeRequests(t testing.TB) (thaw func()) { return lock(t, &f.requests) }

// FreezeAnswers is Freeze for what the server sends.
func (f *Freezer) FreezeAnswers(t testing.TB) (thaw func()) { return lock(t, &f.answers) }

func lock(t testing.TB, gate *sync.RWMutex) (unlock func()) {
	gate.Lock()
	unlock = sync.OnceFunc(gate.Unlock)
	t.Cleanup(unlock)
	return unlock
}

// Slow makes the proxy carry so many bytes a second in each direction of each connection, until restore is called.
func (f *Freezer) Slow(bytes int64) (restore func()) {
	f.pace.Store(bytes)
	return func() { f.pace.Store(0) }
}

func (f *Freezer) carry(to io.Writer, from io.Reader, isAnswer bool) {
	gate := &f.requests
	if isAnswer {
		gate = &f.answers
	}
	_, _ = io.Copy(gated{to, gate, &f.pace}, from)
}

// gated is a writer that writes only while its gate is open, and at a pace.
type gated struct {
	io.Writer
	gate *sync.RWMutex
	pace *atomic.Int64
}

func (g gated) Write(data []byte) (n int, err error) {
	for rest := data; len(rest) > 0 && err == nil; rest = data[n:] {
		if pace := g.pace.Load(); pace > 0 {
			rest = rest[:min(len(rest), max(1, int(pace/20)))]
			time.Sleep(time.Duration(len(rest)) * time.Second / time.Duration(pace))
		}
		var written int
		written, err = g.write(rest)
		n += written
	}
	return n, err
}

func (g gated) write(data []byte) (int, error) {
	g.gate.RLock()
	defer g.gate.RUnlock()
	return g.Writer.Write(data)
}
