package bridgetest

import (
	"testing"
	"time"
)

// Eventually waits for a condition.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for ; !condition(); <-again.C {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to pass: ", what)
		}
	}
}
