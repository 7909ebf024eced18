package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/httpapi"
)

// panics are pages that do, at several moments.
var panics = map[string]http.HandlerFunc{
	"/before": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "12345")
		panic("a fault of ours")
	},
	"/index": func(_ http.ResponseWriter, r *http.Request) { _ = r.URL.Path[len(r.URL.Path):][0] },
	"/hint": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		panic(errors.New("late"))
	},
	"/after": func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half of")
		_ = http.NewResponseController(w).Flush()
		panic("a fault in the middle")
	},
	"/status": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		panic("a fault behind the status")
	},
	"/abort": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
}

func withPanics(t *testing.T) *fixture {
	c := config()
	c.Pages = func(path string) http.Handler {
		if page, has := panics[path]; has {
			return page
		}
		return nil
	}
	return start(t, c)
}

// A handler's panic is answered as a bug, logged with its stack, and counted.
func TestPanicBeforeTheAnswer(t *testing.T) {
	b := withPanics(t)
	for i, path := range []string{"/before", "/index", "/hint"} {
		p := b.do(t, http.MethodGet, path, nil).problem(t, http.StatusInternalServerError, "internal")
		if strings.Contains(p.Detail, "fault of ours") {
			t.Errorf("a stranger is told %s", p.Detail)
		}
		if n := b.api.Stats().Panics; n != uint64(i+1) {
			t.Errorf("%d panics are counted", n)
		}
	}
	logged := b.log.String()
	for _, want := range []string{"level=ERROR", "path=/before", "a fault of ours", "guard_test.go", "index out of range", "late"} {
		if !strings.Contains(logged, want) {
			t.Errorf("%q is not in the log: %s", want, logged)
		}
	}
	if strings.Contains(logged, plantedQuery) || strings.Contains(logged, "http: panic serving") {
		t.Error(logged)
	}
	b.get(t, "/events/chat.room1").next(t, bridge.EventOpen, opened)
}

// faultyKeeper is a Presence that panics when somebody joins.
type faultyKeeper struct{ *keeper }

func (faultyKeeper) Join([]bridge.Subject, bridge.Visitor) (leave func(isDead bool)) {
	panic("a fault of ours")
}

// faultyRuns are Runs that panic when somebody reads one.
type faultyRuns struct{ httpapi.Runs }

func (faultyRuns) Filter() bridge.Subject { return "answers.>" }

func (faultyRuns) Subject(bridge.Caller, string) (bridge.Subject, bool) { return "answers.-.r", true }

func (faultyRuns) Follow(context.Context, bridge.Subject, bridge.Framing, bridge.Account) (run bridge.Run, done func(), err error) {
	panic("a fault of ours")
}

// A connection whose handler panics keeps no place, and no reader.
func TestPanicFreesThePlace(t *testing.T) {
	c := config()
	c.Presence, c.Runs = faultyKeeper{&keeper{t: t}}, faultyRuns{}
	b := start(t, c)
	for _, target := range []string{"/events/chat.room1?name=Ada", "/answers/r"} {
		b.do(t, http.MethodGet, target, nil).problem(t, http.StatusInternalServerError, "internal")
		if taken, readers := b.places.Stats().Taken, b.hub.Stats().Readers; taken != 0 || readers != 0 {
			t.Errorf("%s: %d places are taken, by %d readers", target, taken, readers)
		}
	}
}

// Half an answer must not look like a complete one.
func TestPanicInTheAnswer(t *testing.T) {
	b := withPanics(t)
	for _, path := range []string{"/after", "/status"} {
		r, err := http.NewRequest(http.MethodGet, b.server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := b.server.Client().Transport.RoundTrip(r)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the answer looks whole", path)
		}
	}
	if n := b.api.Stats().Panics; n != 2 || !strings.Contains(b.log.String(), "a fault in the middle") || strings.Contains(b.log.String(), "superfluous") {
		t.Errorf("%d panics are counted; the log: %s", n, b.log)
	}
}

// A handler that aborts its answer is not a bug.
func TestAbortedHandler(t *testing.T) {
	b := withPanics(t)
	response, err := b.server.Client().Get(b.server.URL + "/abort")
	if err == nil {
		response.Body.Close()
		t.Errorf("%s instead of a broken connection", response.Status)
	}
	if n := b.api.Stats().Panics; n != 0 {
		t.Errorf("%d panics are counted", n)
	}
	b.quiet(t)
}
