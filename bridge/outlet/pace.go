package outlet

import (
	"context"
	"sync/atomic"
	"time"
)

// pacing keeps a connection to the pace of its address.
type pacing struct {
	isShort atomic.Bool   // less is to be read at once
	hurry   chan struct{} // ends a wait
}

// startPace makes a connection over TLS keep to the pace of its address, if that has a limit of connections.
func (c *stallConn) startPace() {
	if c.place.network.limit == 0 {
		return
	}
	c.pacing.Store(&pacing{hurry: make(chan struct{}, 1)})
	c.place.all.owe(c.place.network, handshakeCost)
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
func (c *stallConn) hurryUp() {
	if pacing := c.pacing.Load(); pacing != nil {
		select {
		case pacing.hurry <- struct{}{}:
		default:
		}
	}
}

// stopPace lets the connection be read from as fast as it sends.
func (s *place) stopPace() {
	if conn := s.connection(); conn != nil {
		conn.pacing.Store(nil)
	}
}

// paceBody takes back what was counted of a body: bodies have limits of their own.
func (s *place) paceBody(bytes int) {
	if conn := s.connection(); conn != nil && conn.pacing.Load() != nil {
		s.all.owe(s.network, -bytes)
	}
}

// paceReset counts a request that its client reset soon after it began.
func (s *place) paceReset(ctx context.Context, begun time.Duration) {
	if ctx.Err() != nil && s.all.now()-begun <= quickReset {
		s.oweReset()
	}
}

func (s *place) oweReset() {
	if conn := s.connection(); conn != nil && conn.pacing.Load() != nil {
		s.all.owe(s.network, resetCost)
	}
}

// connection returns the place's connection, nil if an event loop has the socket.
func (s *place) connection() *stallConn {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	return s.conn
}
