package outlet

import (
	"context"
	"errors"
	"math"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/sockets"
)

// maxWrite is how many bytes of frames are joined into one write, unless a single frame is larger.
const maxWrite = 64 << 10

// connection is one response, written only by the goroutine of its request.
type connection struct {
	outlet   *Outlet
	reader   *bridge.Reader
	w        http.ResponseWriter
	control  *http.ResponseController
	http2    bool
	conn     *sockets.Conn // under TLS and HTTP/2; nil if it is not from Listen
	batch    [][]byte
	lifetime bridge.Lifetime
	subjects []bridge.Subject
	kicked   bridge.Signal    // set when an administrator ends the connection
	recheck  bridge.Signal    // set when the token may have been revoked; nil if it cannot be
	look     <-chan time.Time // when the connection is checked for a client that receives nothing; nil if no check is planned

	// For Survey. The fields below mu are guarded by it.
	opened  time.Time
	mu      sync.Mutex
	cursor  bridge.Cursor
	writing int       // bytes of the present write; 0 if there is none
	began   time.Time // when it began
}

// run writes until the connection ends, and returns the reason.
func (c *connection) run(ctx context.Context) ending {
	config := c.outlet.config
	framing := c.reader.Framing()
	heartbeat := time.NewTimer(config.Heartbeat)
	defer heartbeat.Stop()
	draining, more, isMore := c.outlet.draining, bridge.NewSignal(), true
	until := c.outlet.stay() // the age at which the client is asked to reconnect
	due := time.NewTimer(c.wait(until))
	defer due.Stop()
	if err := c.write(framing.Preamble()); err != nil {
		return reasonOf(err)
	}
	for !c.isRevoked() {
		if isMore { // at first, too: a connection begins with its position, even if it is to end at once
			wrote, err := c.writeFrames(more)
			switch {
			case err != nil:
				return reasonOf(err)
			case c.reader.Ended():
				return endRun
			case wrote:
				more.Wake() // there may be more frames already
				heartbeat.Reset(config.Heartbeat)
			}
			isMore = false
		}
		// select chooses at random, so a busy connection ends too.
		select {
		case <-more:
			isMore = true
		case <-c.look:
			if c.conn.TakesNothing(config.WriteTimeout) {
				c.conn.Cut()
				return endSlow
			}
			c.planNextLook()
		case <-heartbeat.C:
			if err := c.write(framing.Heartbeat()); err != nil {
				return reasonOf(err)
			}
			heartbeat.Reset(config.Heartbeat)
		case <-c.recheck:
			c.recheck.Wake() // checked above
		case <-c.kicked:
			return c.end(ctx, endKick)
		case <-due.C:
			if isExpired := untilExpiry(&c.lifetime, c.outlet.clock()) == 0; isExpired || time.Since(c.opened) >= until {
				return c.end(ctx, c.outlet.whyEnd(isExpired))
			}
			due.Reset(c.wait(until))
		case <-draining:
			draining = nil
			until = min(until, time.Since(c.opened)+c.outlet.drainDelay())
			due.Reset(c.wait(until))
		case <-ctx.Done():
			return c.whyOver()
		}
	}
	return c.end(ctx, endAuth)
}

// whyOver returns the reason when net/http has ended the request. It ends a stream of HTTP/2 at a write deadline as well, even if the write has
// just succeeded. Only the next write says so.
func (c *connection) whyOver() ending {
	if !c.http2 {
		return endClient
	}
	return reasonOf(c.write(c.reader.Framing().Heartbeat()))
}

// isRevoked reports whether the token was revoked, if that is to be checked.
func (c *connection) isRevoked() bool {
	select {
	case <-c.recheck:
		return c.lifetime.Revoked()
	default:
		return false
	}
}

// wait returns in how long the connection may be due to end.
func (c *connection) wait(until time.Duration) time.Duration {
	return min(until-time.Since(c.opened), untilExpiry(&c.lifetime, c.outlet.clock()))
}

// writeFrames writes the next frames, joined. If there are none, more is woken when there may be.
func (c *connection) writeFrames(more bridge.Signal) (wrote bool, err error) {
	batch, since := c.reader.NextSince(c.batch[:0], maxWrite, more)
	c.batch = batch
	c.note()
	switch len(c.batch) {
	case 0:
		return false, nil
	case 1:
		err = c.write(c.batch[0])
	default:
		joined := joins.Get().(*[]byte)
		*joined = (*joined)[:0]
		for _, frame := range c.batch {
			*joined = append(*joined, frame...)
		}
		err = c.write(*joined)
		// HTTP/2 may still be reading the bytes of a write that failed.
		if err == nil && cap(*joined) <= 2*maxWrite {
			joins.Put(joined)
		}
	}
	if err == nil {
		c.outlet.stats.frames.Add(uint64(len(c.batch)))
		c.outlet.observe(since)
	}
	// The frames are shared with other readers, but a batch that pointed at them would keep them in memory.
	clear(c.batch)
	return true, err
}

var joins = sync.Pool{New: func() any { return new([]byte) }}

// write sends the bytes at once, and waits for the client to receive them. If the connection is from Listen, it waits as long as the client
// receives some.
func (c *connection) write(data []byte) error {
	c.noteWrite(len(data))
	defer c.noteWrite(0)
	for piece := range slices.Chunk(data, c.pieces()) {
		// An error means that this connection has no deadlines, such as a test's recorder; then it is not cut.
		_ = c.control.SetWriteDeadline(time.Now().Add(c.outlet.config.WriteTimeout))
		if _, err := c.w.Write(piece); err != nil {
			return err
		}
	}
	if err := c.control.Flush(); err != nil {
		return err
	}
	c.outlet.stats.bytes.Add(uint64(len(data)))
	c.planLook()
	if c.http2 {
		// There a passed deadline ends the stream even if nothing is being written.
		_ = c.control.SetWriteDeadline(time.Time{})
	}
	return nil
}

// note records for Survey where the reader is.
func (c *connection) note() {
	cursor := c.reader.Cursor()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cursor = cursor
}

// noteWrite records for Survey that so many bytes are being written; 0 for the end of the write.
func (c *connection) noteWrite(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = bytes
	if bytes > 0 {
		c.began = time.Now()
	}
}

// planLook plans a check whether the client receives what was written. A client without a network acknowledges nothing.
func (c *connection) planLook() {
	if c.conn == nil || c.look != nil {
		return
	}
	config := c.outlet.config
	c.conn.TakesNothing(config.WriteTimeout) // starts to count
	c.look = time.After(min(config.Heartbeat, config.WriteTimeout))
}

// planNextLook plans the check at which the client will have received nothing for the write timeout. If it has received everything, the next
// write plans a check.
func (c *connection) planNextLook() {
	c.look = nil
	if remaining := c.conn.UntilStalled(c.outlet.config.WriteTimeout); remaining > 0 {
		c.look = time.After(remaining)
	}
}

// pieces returns how many bytes may be written under one deadline. Over HTTP/1.1 the deadline starts again when the client receives something. A
// stream of HTTP/2 has its own deadline, which does not.
func (c *connection) pieces() int {
	if c.http2 {
		return maxPiece
	}
	return math.MaxInt
}

// maxPiece is how much a client has to receive per timeout, as over HTTP/1.1.
const maxPiece = 16 << 10

// end tells the client that the server ends the connection, and why, and waits until it may break off.
func (c *connection) end(ctx context.Context, reason ending) ending {
	if err := c.write(c.reader.Framing().Close(reason.String(), c.outlet.retry())); err != nil {
		return reasonOf(err)
	}
	select {
	case <-time.After(c.outlet.config.CloseDelay):
	case <-ctx.Done():
	}
	return reason
}

func reasonOf(err error) ending {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return endSlow
	}
	return endClient
}
