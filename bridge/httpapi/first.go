package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tailwater/tailwater/bridge"
)

// Reasons why a question has no first answer.
var (
	errSilent = errors.New("nobody has answered in time; the question was heard, so ask again only if it may be answered twice")
	errWorker = errors.New("whoever answers reports an error")
)

// firstTimeout is how long a client may take to receive the first answer.
const firstTimeout = 30 * time.Second

// first answers with the first message of a run. If this bridge is about to stop, or has lost the first message, the answer is where the run
// can be read.
func (a *API) first(w http.ResponseWriter, r *http.Request, run bridge.Run, path string) error {
	reader, err := a.config.Hub.Read([]bridge.Subject{run.Subject}, bridge.Framing{Format: bridge.Lines, Run: true}, run.Begin)
	if err != nil {
		return fmt.Errorf("%w: %w", errBusy, err)
	}
	defer reader.Close()
	connection := http.NewResponseController(w)
	_ = connection.SetWriteDeadline(time.Time{}) // the silence limits how long the worker may take
	found, err := a.awaitFirst(r.Context(), reader)
	_ = connection.SetWriteDeadline(time.Now().Add(firstTimeout))
	switch {
	case err != nil:
		return err
	case found == nil:
		return accepted(w, run, path)
	}
	a.config.Runs.Settle(run.Subject)
	w.Header().Set("Content-Location", path)
	w.Header().Set("Cache-Control", "no-store")
	if found.Event == bridge.EventEnd {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	payload := found.payload()
	w.Header().Set("Content-Type", typeOf(payload))
	_, _ = w.Write(payload) // there is nothing to do if the client is gone
	return nil
}

// line is a message, or an event of Tailwater's own, as package bridge encodes it.
type line struct {
	Event      string
	Subject    string // empty for Tailwater's own events
	Data       string
	DataBase64 []byte `json:"data_base64"`
}

func (l *line) payload() []byte {
	if l.DataBase64 != nil {
		return l.DataBase64
	}
	return []byte(l.Data)
}

// awaitFirst returns the first message of a run, or its end; nil if they can only be read elsewhere.
func (a *API) awaitFirst(ctx context.Context, reader *bridge.Reader) (*line, error) {
	more := bridge.NewSignal()
	for {
		frames := reader.Next(nil, math.MaxInt, more)
		for _, frame := range frames {
			var l line
			if err := json.Unmarshal(frame, &l); err != nil {
				return nil, fmt.Errorf("read an event of the bridge's own: %w", err)
			}
			switch {
			case l.Subject != "" || l.Event == bridge.EventEnd:
				return &l, nil
			case l.Event == bridge.EventError:
				return nil, l.failure()
			case l.Event == bridge.EventGap || l.Event == bridge.EventReset:
				return nil, nil
			}
		}
		if len(frames) > 0 {
			continue
		}
		select {
		case <-more:
		case <-a.draining:
			return nil, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errBusy, ctx.Err()) // nobody reads this
		}
	}
}

// failure returns the error of a run that has failed before its first message.
func (l *line) failure() error {
	var failure bridge.RunError
	_ = json.Unmarshal([]byte(l.Data), &failure) // the bridge has encoded it
	if failure.Silent {
		return errSilent
	}
	return fmt.Errorf("%w: %.500s (%.20s)", errWorker, failure.Description, failure.Code)
}

// typeOf returns the media type of a payload. The worker does not choose it: a page of its choice would be a page of this origin.
func typeOf(payload []byte) string {
	switch {
	case json.Valid(payload):
		return typeDocument
	case utf8.Valid(payload) && !strings.ContainsRune(string(payload), 0):
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// accepted answers where a run can be read.
func accepted(w http.ResponseWriter, run bridge.Run, path string) error {
	w.Header().Set("Location", path)
	writeJSON(w, http.StatusAccepted, typeDocument, map[string]string{"run": run.Name})
	return nil
}
