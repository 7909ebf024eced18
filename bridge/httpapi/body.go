package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

const (
	// bodyTimeout is how long a body may take to arrive, plus a second for every bodyRate bytes of it that have arrived: a large
	// body takes its time on a slow line, and one that trickles holds little, and not for long.
	bodyTimeout = 30 * time.Second
	bodyRate    = 16 << 10
	// smallBody is the most bytes of a body that means nothing.
	smallBody = 4 << 10
	// firstRoom is how many bytes are set aside for a body that begins. Further room is taken as it arrives: what a request says
	// of its length costs nothing.
	firstRoom = 4 << 10
	// requestMemory is what requests may hold together, where the configuration does not say, in bytes.
	requestMemory = 128 << 20
)

// newLedger returns the ledger of what requests hold. One caller may hold an eighth of it, or two of the largest bodies.
func newLedger(limits Limits) *bridge.Ledger {
	total := limits.Memory
	if total == 0 {
		total = requestMemory
	}
	return bridge.NewLedger(total, max(total/8, 2*limits.Body))
}

// readBody reads the body of a POST. What it takes counts in share until that is closed.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, share *bridge.Share) ([]byte, error) {
	most := a.config.Limits.Body
	if r.ContentLength > most {
		return nil, errBody(most)
	}
	size := most
	if r.ContentLength >= 0 {
		size = r.ContentLength
	}
	arriving := &timedBody{from: http.MaxBytesReader(below(w), r.Body, most), w: w, r: r, begun: time.Now()}
	body, err := readAll(arriving, size, share)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errBody(most)
	case errors.Is(err, errMemory):
		a.exceeded(r, limitMemory, share.Caller())
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errIncomplete, err)
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, nil
}

// readAll reads a body of at most size bytes, into room that grows as the body arrives. The error is errMemory where the share
// cannot grow.
func readAll(from io.Reader, size int64, share *bridge.Share) ([]byte, error) {
	var body []byte
	var end [1]byte // an end may be told only by a further read
	for {
		if have := int64(cap(body)); int64(len(body)) == have && have < size {
			room := min(max(2*have, firstRoom), size)
			if !share.Take(room - have) {
				return nil, errMemory
			}
			body = append(make([]byte, 0, room), body...)
		}
		into := body[len(body):cap(body)]
		if len(into) == 0 {
			into = end[:]
		}
		n, err := from.Read(into)
		switch {
		case n > cap(body)-len(body):
			return nil, io.ErrUnexpectedEOF // no body is longer than it says: net/http sees to that
		case err == io.EOF:
			return body[:len(body)+n], nil
		case err != nil:
			return nil, err
		}
		body = body[:len(body)+n]
	}
}

// passBody reads the body of a request in which a body means nothing, and throws it away. Before it has been read, net/http does not
// notice a hang-up. A larger one than smallBody is refused: it would cost whoever waits for its end.
func passBody(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength == 0 || r.Body == http.NoBody {
		return nil
	}
	if r.ContentLength > smallBody {
		if r.ProtoMajor == 1 {
			w.Header().Set("Connection", "close") // else net/http waits for the body before it answers
		}
		return errNoBody
	}
	_, err := io.Copy(io.Discard, http.MaxBytesReader(below(w), r.Body, smallBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errNoBody
	case err != nil:
		return fmt.Errorf("%w: %w", errIncomplete, err)
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return nil
}

// timeBody lets time run for a body, whoever reads it: what is refused before its body was read is read by net/http all the same, and not
// kept. Where the connection has no deadlines, the server's own settings have to do.
func timeBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		expectBody(w, r, time.Now().Add(bodyTimeout))
	}
}

// expectBody sets the time by which a body must have arrived. The server's own limit for the answer runs from the head of the request on
// (net/http, Server.WriteTimeout): here it runs from that time on, or a body that takes long would not be answered.
func expectBody(w http.ResponseWriter, r *http.Request, by time.Time) {
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(by)
	if server, isServed := r.Context().Value(http.ServerContextKey).(*http.Server); isServed && server.WriteTimeout > 0 {
		_ = connection.SetWriteDeadline(by.Add(server.WriteTimeout))
	}
}

// timedBody is a body whose deadline moves with each bodyRate bytes that arrive.
type timedBody struct {
	from    io.Reader
	w       http.ResponseWriter
	r       *http.Request
	begun   time.Time
	arrived int64 // bytes
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	before := b.arrived / bodyRate
	b.arrived += int64(n)
	if seconds := b.arrived / bodyRate; seconds > before {
		expectBody(b.w, b.r, b.begun.Add(bodyTimeout+time.Duration(seconds)*time.Second))
	}
	return n, err
}

// hasBody tells whether the body of a request means something: it does in a POST that publishes.
func hasBody(r *http.Request) bool {
	return r.Method == http.MethodPost && sentPath(r.URL) != sessionPath
}

// WithoutBodies serves next, and refuses requests whose body is larger than a few KiB: no request there needs one.
func (a *API) WithoutBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timeBody(w, r)
		if err := passBody(w, r); err != nil {
			a.writeProblem(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
