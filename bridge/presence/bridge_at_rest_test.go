package presence_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestBridgeAtRest: a bridge whose members neither come nor go writes its lease every five seconds, reads all leases as often, and compares the
// value of a room every five minutes.
func TestBridgeAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		n := open(t, b)
		open(t, b).kill() // what it leaves is looked for once
		n.join("chat.a", "Ada")
		time.Sleep(2 * time.Minute)
		b.mu.Lock()
		clear(b.reads)
		clear(b.writes)
		b.mu.Unlock()
		time.Sleep(10 * time.Minute)
		b.mu.Lock()
		defer b.mu.Unlock()
		for key, count := range b.reads {
			if most := map[bool]int{true: 10*60/5 + 20, false: 3}[strings.HasPrefix(key, "_lease.")]; count > most || key == ">" {
				t.Errorf("%d reads of %s", count, key)
			}
		}
		if b.writes["chat.a"] > 0 {
			t.Errorf("%d writes of an unchanged room", b.writes["chat.a"])
		}
	})
}
