package outlet

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/sockets"
)

// pollPatience is how long the store may take for the next frames.
const pollPatience = 5 * time.Second

// Poll answers a request with the reader's frames until the reader is done, and ends cleanly. The caller must have set the response's headers, but
// not the status. Poll takes over the reader, and closes it.
//
// An error means that nothing was written. It wraps bridge.ErrUnavailable if the store delivered nothing in time, bridge.ErrRefused if NATS refuses
// the subjects to this bridge, and bridge.ErrBusy if the outlet drains. If the answer ends later for such a reason, it ends after a complete line: the client continues from there. A client that receives too
// little is cut, like that of an event stream; then Poll panics with http.ErrAbortHandler. The write deadline stays set after the last byte, for
// the end of the response, which net/http writes. So the server must have its own deadline, which starts with each request
// (http.Server.WriteTimeout).
func (o *Outlet) Poll(w http.ResponseWriter, r *http.Request, reader *bridge.Reader) error {
	o.count(0, 1)
	defer o.count(0, -1)
	defer reader.Close()
	o.stats.polls.Add(1)
	c := &connection{outlet: o, reader: reader, w: w, control: http.NewResponseController(w), http2: r.ProtoMajor == 2, conn: sockets.Of(r.Context())}
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

// poll writes until the reader is done, and reports whether it has begun to write.
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
		if err := c.reader.Refusal(); err != nil {
			return begun, endEarly(begun, err)
		}
		select {
		case <-more:
		case <-c.outlet.draining:
		case <-silence.C:
			return begun, endEarly(begun, bridge.ErrUnavailable)
		case <-ctx.Done():
			return true, ctx.Err() // the client is gone
		}
	}
	return begun, nil
}

// endEarly returns the error of an answer that ends before it has begun. An answer that has begun is only shorter.
func endEarly(begun bool, reason error) error {
	if begun {
		return nil
	}
	return fmt.Errorf("nothing to answer with: %w", reason)
}
