package js

import (
	"context"
	"sync/atomic"
	"time"
)

// Link is one connection to NATS, from the call that dialed it until it is lost. It records whether it is up, what was refused on
// it, and which requests have no answer. Code that must know whether a proof is still valid keeps the Link of the proof, and
// compares it with Conn.Link.
type Link struct {
	lost context.Context
	lose context.CancelFunc
	up   atomic.Bool

	isDialed bool // false for a link that never was one
	violations
	silences
}

func newLink() *Link {
	l := &Link{
		violations: violations{subscribe: map[string]uint64{}, publish: map[string]uint64{}},
		silences:   silences{since: map[string]time.Time{}},
	}
	l.lost, l.lose = context.WithCancel(context.Background())
	return l
}

// IsUp reports whether the link carries messages, according to nats.go's handlers.
func (l *Link) IsUp() bool { return l.up.Load() && l.lost.Err() == nil }

// Lost returns a channel that is closed when the link is lost.
func (l *Link) Lost() <-chan struct{} { return l.lost.Done() }

// AfterLoss calls f when the link is lost, unless stop is called first.
func (l *Link) AfterLoss(f func()) (stop func() bool) { return context.AfterFunc(l.lost, f) }
