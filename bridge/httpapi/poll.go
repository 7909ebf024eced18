package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

const (
	// pollTimeout is how long the store may take until a poll is answered that it cannot be read.
	pollTimeout = 5 * time.Second
	// pollLimit is how many messages a poll gives that does not say how many, and maxPollLimit how many one may ask for.
	pollLimit, maxPollLimit = 100, 10_000
	// maxPollBytes ends an answer that would take too much memory. The client goes on behind the last line.
	maxPollBytes = 16 << 20
	// pollBytes is how much the answers under way may take together, where the configuration does not say.
	pollBytes = 64 << 20
	// writeTimeout is how long a client may take nothing of an answer, where the configuration does not say.
	writeTimeout = 20 * time.Second
)

// readPoll gives how many messages a poll asks for, 0 where the request is none.
func readPoll(query url.Values) (int, error) {
	poll, limit := query.Get("poll"), query.Get("limit")
	switch {
	case poll == "" && limit == "":
		return 0, nil
	case poll == "":
		return 0, fmt.Errorf("%w: limit is for poll=1; a connection that stays has none", errQuery)
	case poll != "1":
		return 0, fmt.Errorf("%w: poll=%.20s; write poll=1, or leave it out", errQuery, poll)
	case limit == "":
		return pollLimit, nil
	}
	n, err := strconv.Atoi(limit)
	if err != nil || n < 1 || n > maxPollLimit {
		return 0, fmt.Errorf("%w: limit=%.20s; write a number from 1 to %d", errQuery, limit, maxPollLimit)
	}
	return n, nil
}

// poll answers with what is stored, and ends. Nothing is written before all of it is there.
func (a *API) poll(w http.ResponseWriter, r *http.Request, t target, request request) error {
	a.polls.begin()
	held := 0
	defer func() { a.polls.end(held) }()
	end, ok := a.begin()
	if !ok {
		return errBusy
	}
	frames, err := a.collect(r.Context(), t, request, &held)
	end()
	if err != nil {
		return fmt.Errorf("read what is stored: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", request.framing.ContentType())
	header.Set("Content-Length", strconv.Itoa(held))
	header.Set("Cache-Control", "no-store, no-transform")
	if err := writeFrames(w, frames, a.config.WriteTimeout); err != nil {
		// Nothing is left to tell a client that is gone, or takes nothing.
		a.polls.cut.Add(1)
		a.config.Log.Debug("a poll was not taken", "path", r.URL.Path, "error", err)
	}
	return nil
}

// collect reads until so many messages have come, or the end of what was stored is announced. The frames are those that
// every reader shares. They count in held, whose room is given back by the caller; where there is none for a message, it
// gives errBusy if it has none yet.
func (a *API) collect(ctx context.Context, t target, request request, held *int) ([][]byte, error) {
	reader, err := a.config.Hub.Read(t.subjects, request.framing, request.resume)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", bridge.ErrUnavailable, err)
	}
	defer reader.Close()
	reader.Limit(a.polls.largest(request.most))
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	var all [][]byte
	more := bridge.NewSignal()
	for messages := 0; messages < request.poll && *held <= maxPollBytes; {
		next := reader.Next(nil, 0, more) // one message at most
		if len(next) == 0 {
			select {
			case <-more:
				continue
			case <-ctx.Done():
				return nil, fmt.Errorf("%w: %w", bridge.ErrUnavailable, ctx.Err())
			}
		}
		size, found := 0, 0
		for _, frame := range next {
			size += len(frame)
			if isMessage(frame) {
				found++
			}
		}
		if !a.polls.hold(size) {
			if messages > 0 {
				return all, nil // the client goes on behind its last line
			}
			return nil, fmt.Errorf("%w: the answers that are being read take %d bytes", errBusy, a.polls.bytes.Load())
		}
		*held += size
		messages += found
		all = append(all, next...)
		if reader.Synced() {
			break
		}
	}
	return all, nil
}

// pollPiece is how much of an answer is written under one deadline.
const pollPiece = 32 << 10

// writeFrames writes piece by piece, and waits for the client to take each: for the timeout. What is written is let go.
func writeFrames(w http.ResponseWriter, frames [][]byte, timeout time.Duration) error {
	control := http.NewResponseController(w)
	// Errors mean that there are no deadlines, as with a test's recorder; then it is not cut. The next answer on the
	// connection has others.
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }()
	_ = control.SetWriteDeadline(time.Now().Add(timeout))
	room := pollPiece
	for i, frame := range frames {
		for len(frame) > 0 {
			if room == 0 {
				if err := flush(control); err != nil {
					return err
				}
				_ = control.SetWriteDeadline(time.Now().Add(timeout))
				room = pollPiece
			}
			n, err := w.Write(frame[:min(len(frame), room)])
			if err != nil {
				return err
			}
			frame = frame[n:]
			room -= n
		}
		frames[i] = nil
	}
	return flush(control) // while there is a deadline
}

// flush sends what is buffered.
func flush(control *http.ResponseController) error {
	if err := control.Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// polls bounds what the answers under way hold: they are in memory until their clients have taken them.
type polls struct {
	most  int64        // bytes
	bytes atomic.Int64 // that answers hold
	open  atomic.Int64
	total atomic.Uint64
	cut   atomic.Uint64
}

func (p *polls) begin() {
	p.open.Add(1)
	p.total.Add(1)
}

// end gives back what a poll has held.
func (p *polls) end(held int) {
	p.bytes.Add(-int64(held))
	p.open.Add(-1)
}

// hold takes room for so many bytes, or reports that there is none.
func (p *polls) hold(size int) bool {
	if p.bytes.Add(int64(size)) > p.most {
		p.bytes.Add(-int64(size))
		return false
	}
	return true
}

// ownRoom is how much an answer may need beside its messages: for what says where the reader stands.
const ownRoom = 64 << 10

// largest returns how many bytes a message may have whose client asked for at most so many, 0 for any number. One for
// which there is never room would stop every poll that comes to it.
func (p *polls) largest(asked int) int {
	most := int(max(p.most-ownRoom, p.most/2))
	if asked > 0 {
		return min(asked, most)
	}
	return most
}

// isMessage tells a message, or what stands for one, from what says where the reader stands.
func isMessage(line []byte) bool {
	if !bytes.HasPrefix(line, []byte(`{"event":"tailwater:`)) {
		return true
	}
	return slices.ContainsFunc([]string{bridge.EventDelete, bridge.EventLarge}, func(event string) bool {
		return bytes.HasPrefix(line, []byte(`{"event":"`+event+`"`))
	})
}
