package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tailwater/tailwater/bridge"
)

// pollLimit is how many messages a poll returns by default, and maxPollLimit how many a poll may ask for.
const pollLimit, maxPollLimit = 100, 10_000

// readPoll returns how many messages a poll asks for; 0 if the request is not a poll.
func readPoll(query url.Values) (int, error) {
	poll, limit := query.Get("poll"), query.Get("limit")
	switch {
	case poll == "" && limit == "":
		return 0, nil
	case poll == "":
		return 0, fmt.Errorf("%w: limit is for poll=1; a connection that stays has no limit", errQuery)
	case poll != "1":
		return 0, fmt.Errorf("%w: poll=%.20s; write poll=1, or omit it", errQuery, poll)
	case limit == "":
		return pollLimit, nil
	}
	n, _ := strconv.Atoi(limit) // 0 for what is no number
	if n < 1 || n > maxPollLimit {
		return 0, fmt.Errorf("%w: limit=%.20s; write a number from 1 to %d", errQuery, limit, maxPollLimit)
	}
	return n, nil
}

// readUntil makes a poll read backwards from the event that `until` names.
func readUntil(query url.Values, poll int, members membership, resume *bridge.Resume) error {
	text := query.Get("until")
	switch {
	case text == "":
		return nil
	case poll == 0:
		return fmt.Errorf("%w: until is for poll=1; a connection that stays has no end", errQuery)
	case query.Get("since") != "" || query.Get("lastEventId") != "":
		return fmt.Errorf("%w: until reads backwards from an event; leave since and lastEventId out", errQuery)
	case members.isTold:
		return fmt.Errorf("%w: until reads messages; leave presence out", errQuery)
	}
	id, err := bridge.ParseID(text)
	if err != nil {
		return fmt.Errorf("until: %w", err)
	}
	resume.After, resume.Malformed = nil, false
	resume.Since = bridge.Since{Kind: bridge.SinceUntil, ID: id, Most: poll}
	return nil
}

// poll answers with what is stored, and ends.
func (a *API) poll(w http.ResponseWriter, r *http.Request, t target, request request) error {
	if !t.members {
		if err := a.findEnd(r.Context(), t, &request); err != nil {
			return err
		}
	}
	reader, err := a.config.Hub.Read(t.reading(request.members), request.framing, request.resume)
	if err != nil {
		return fmt.Errorf("%w: %w", errBusy, err)
	}
	reader.Limit(request.most)
	if request.resume.Since.Kind != bridge.SinceUntil { // which has an end of its own
		reader.Stop(request.poll)
	}
	header := w.Header()
	header.Set("Content-Type", request.framing.ContentType())
	header.Set("Cache-Control", "no-store, no-transform")
	if err := a.config.Outlet.Poll(w, r, reader); err != nil {
		return fmt.Errorf("read stored messages: %w", err)
	}
	return nil
}

// findEnd asks where what is stored ends: a poll, or a replay, holds everything that was acknowledged before the request came.
func (a *API) findEnd(ctx context.Context, t target, request *request) error {
	return a.lookUp(ctx, func(ctx context.Context) (err error) {
		request.resume.Through, err = a.config.Hub.End(ctx, a.config.Store, t.subjects, request.resume.Account)
		return err
	})
}
