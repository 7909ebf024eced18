package outlet

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// pollPatience is how long the store may take for what comes next.
const pollPatience = 5 * time.Second

// Poll answers a request with the reader's frames until the reader is done, and ends cleanly. The response's headers but the
// status must have been set. It takes the reader over, and closes it.
//
// An error means that nothing was written: it wraps bridge.ErrUnavailable where the store gave nothing in time, and
// bridge.ErrBusy where the outlet drains. What ends an answer later, but for the client, ends it behind a line: the client
// goes on from there. A client that takes too little is cut, like that of an event stream; then Poll panics with
// http.ErrAbortHandler. The write deadline stays behind the last byte, for the end of the response that net/http writes: the
// server must have one of its own, which begins anew with each request (http.Server.WriteTimeout).
func (o *Outlet) Poll(w http.ResponseWriter, r *http.Request, reader *bridge.Reader) error {
	o.countPoll(1)
	defer o.countPoll(-1)
	defer reader.Close()
	o.stats.polls.Add(1)
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	c := &connection{outlet: o, reader: reader, w: w, control: http.NewResponseController(w), http2: r.ProtoMajor == 2, conn: below(conn)}
	begun, err := c.poll(r.Context())
	switch {
	case err == nil || !begun:
		return err
	case reasonOf(err) == endSlow:
		o.logSlow(r.RemoteAddr, reader.Feed().Subjects())
	}
	o.stats.pollsCut.Add(1)
	panic(http.ErrAbortHandler)
}

// poll writes until the reader is done, and tells whether it has begun to.
func (c *connection) poll(ctx context.Context) (begun bool, err error) {
	more := bridge.NewSignal()
	silence := time.NewTimer(pollPatience)
	defer silence.Stop()
	for !c.reader.Done() {
		if c.outlet.isDraining() {
			return begun, endEarly(begun, bridge.ErrBusy)
		}
		wrote, err := c.writeFrames(more)
		if err != nil {
			return true, err
		}
		if wrote {
			begun = true
			silence.Reset(pollPatience)
			continue
		}
		select {
		case <-more:
		case <-c.outlet.draining:
		case <-silence.C:
			return begun, endEarly(begun, bridge.ErrUnavailable)
		case <-ctx.Done():
			return true, ctx.Err() // nobody is left to be answered
		}
	}
	return begun, nil
}

// endEarly returns the reason of an answer that ends before it has begun. Behind a line it is a shorter answer.
func endEarly(begun bool, reason error) error {
	if begun {
		return nil
	}
	return fmt.Errorf("an answer with nothing in it: %w", reason)
}

// countPoll lets Drain wait for polls.
func (o *Outlet) countPoll(change int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.polls += change
	o.tellEmpty()
}
