//go:build !windows

package e2e

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// TestChaosPresenceOfStoppedBridge: a bridge that does nothing for five seconds is not noticed; one that does nothing for a minute loses its
// own members alone, and brings them back.
func TestChaosPresenceOfStoppedBridge(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	one := startProcess(t, environ(listed(server.URL()))...)
	two := startNode(t, listed(server.URL()))
	enter(t, two.URL(), "chat.a", "Ben")
	enter(t, one.http, "chat.a", "Ada")
	w := observe(t, two.URL(), "chat.a")
	w.await("Ada", "Ben")
	pause := func(d time.Duration) {
		_ = one.cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(d) // how long it is paused is what is tested
		_ = one.cmd.Process.Signal(syscall.SIGCONT)
	}
	pause(5 * time.Second)
	enter(t, two.URL(), "chat.a", "Cleo")
	w.await("Ada", "Ben", "Cleo")
	if got := w.left(); len(got) > 0 {
		t.Errorf("left after five seconds: %q", got)
	}
	var paused sync.WaitGroup
	paused.Go(func() { pause(time.Minute) })
	w2 := observe(t, two.URL(), "chat.a")
	w2.await("Ben", "Cleo")
	paused.Wait()
	w3 := observe(t, two.URL(), "chat.a")
	w3.await("Ada", "Ben", "Cleo")
	if got := w2.left(); len(got) > 1 {
		t.Errorf("left: %q", got)
	}
}
