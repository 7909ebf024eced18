package presence_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A lease outlasts a renewal that fails, as where a busy server takes too long. Only if the next fails too, members may be lost, and the log says so.
func TestOneFailureIsNoNews(t *testing.T) {
	for failures, warnings := range []int{0, 0, 2} {
		synctest.Test(t, func(t *testing.T) {
			n := open(t, newBucket())
			time.Sleep(settle)
			for range 2 {
				n.link.miss(failures)
				time.Sleep(settle)
			}
			n.Close()
			if log := n.log.String(); strings.Count(log, "level=WARN") != warnings {
				t.Errorf("after %d failures the log says:\n%s", failures, log)
			}
		})
	}
}
