package bridgetest

import (
	"io"
	"sync"
	"testing"
)

// Freezer is a proxy that stops to carry anything on request and keeps its connections open, like a network that loses every packet.
type Freezer struct {
	*Cutter
	carrying sync.RWMutex
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
	f.carrying.Lock()
	thaw = sync.OnceFunc(f.carrying.Unlock)
	t.Cleanup(thaw)
	return thaw
}

func (f *Freezer) carry(to io.Writer, from io.Reader) {
	_, _ = io.Copy(gated{to, &f.carrying}, from)
}

// gated is a writer that writes only while its gate is open.
type gated struct {
	io.Writer
	gate *sync.RWMutex
}

func (g gated) Write(data []byte) (int, error) {
	g.gate.RLock()
	defer g.gate.RUnlock()
	return g.Writer.Write(data)
}
