package sockets

import (
	"sync/atomic"
	"time"
)

// pacing keeps a connection to the pace of its address.
type pacing struct {
	isShort atomic.Bool   // less is to be read at once
	hurry   chan struct{} // ends a wait
}

// startPace makes a connection over TLS keep to the pace of its address, if that has a limit of connections.
func (c *Conn) startPace() {
	if c.place.network.limit == 0 {
		return
	}
	c.pacing.Store(&pacing{hurry: make(chan struct{}, 1)})
	c.owe(handshakeCost)
}

// stopPace lets the connection be read from as fast as it sends.
func (c *Conn) stopPace() { c.pacing.Store(nil) }

// owe counts bytes beside those that are read, if the connection keeps to a pace; fewer than none take back what was counted.
func (c *Conn) owe(bytes int) {
	if c.pacing.Load() != nil {
		c.place.network.owe(bytes)
	}
}

func (p *pacing) wait(wait time.Duration, isShort bool) {
	p.isShort.Store(isShort)
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.hurry:
	}
}

// hurryUp ends the wait of a Read.
func (c *Conn) hurryUp() {
	if pacing := c.pacing.Load(); pacing != nil {
		select {
		case pacing.hurry <- struct{}{}:
		default:
		}
	}
}
