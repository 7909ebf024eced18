package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
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
	reader, err := a.config.Hub.Read(t.subjects, request.framing, request.resume)
	if err != nil {
		return fmt.Errorf("read what is stored: %w: %w", bridge.ErrUnavailable, err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(r.Context(), pollTimeout)
	defer cancel()
	body, err := collect(ctx, reader, request.poll)
	if err != nil {
		return fmt.Errorf("read what is stored: %w: %w", bridge.ErrUnavailable, err)
	}
	header := w.Header()
	header.Set("Content-Type", request.framing.ContentType())
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store, no-transform")
	_, _ = w.Write(body) // nothing is left to tell a client that is gone
	return nil
}

// collect reads until so many messages have come, or the end of what was stored is announced.
func collect(ctx context.Context, reader *bridge.Reader, messages int) ([]byte, error) {
	var body bytes.Buffer
	var frames [][]byte
	more := bridge.NewSignal()
	for messages > 0 {
		frames = reader.Next(frames[:0], 0, more) // one message at most
		if len(frames) == 0 {
			select {
			case <-more:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			continue
		}
		for _, frame := range frames {
			body.Write(frame)
			if isMessage(frame) {
				messages--
			}
		}
		if reader.Synced() || body.Len() > maxPollBytes {
			break
		}
	}
	return body.Bytes(), nil
}

// isMessage tells a message, or its deletion, from what says where the reader stands.
func isMessage(line []byte) bool {
	return !bytes.HasPrefix(line, []byte(`{"event":"tailwater:`)) || bytes.HasPrefix(line, []byte(`{"event":"`+bridge.EventDelete+`"`))
}
