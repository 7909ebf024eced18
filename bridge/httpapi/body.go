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
	// bodyTimeout is how long a body may take to arrive, plus a second for every bodyRate bytes that have arrived: a large body may need
	// time on a slow line, and a trickling body holds little, and not for long.
	bodyTimeout = 30 * time.Second
	bodyRate    = 16 << 10
	// smallBody is the largest body that is read and ignored.
	smallBody = 4 << 10
	// firstBuffer is how many bytes are reserved when a body begins. More is reserved as the body arrives: an announced length costs nothing.
	firstBuffer = 4 << 10
)

// newBudget returns the budget for the memory of requests. One caller may use an eighth of it, or two of the largest bodies.
func newBudget(limits Limits) *bridge.Budget {
	return bridge.NewBudget(limits.Memory, max(limits.Memory/8, 2*limits.Body))
}

// readBody reads the body of a POST. Its memory counts as the caller's until free is called.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, caller bridge.Caller) (body []byte, free func(), err error) {
	share := a.budget.Share(a.limitKey(r, caller))
	if body, err = a.readInto(share, w, r); err == nil {
		err = checkText(r, body)
	}
	if err != nil {
		share.Close()
		return nil, nil, err
	}
	return body, share.Close, nil
}

func (a *API) readInto(share *bridge.Share, w http.ResponseWriter, r *http.Request) ([]byte, error) {
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

// readAll reads a body of at most size bytes, into a buffer that grows as the body arrives. It returns errMemory if the share cannot grow.
func readAll(from io.Reader, size int64, share *bridge.Share) ([]byte, error) {
	var body []byte
	var end [1]byte // the end may show only at one more read
	for {
		if have := int64(cap(body)); int64(len(body)) == have && have < size {
			grown := min(max(2*have, firstBuffer), size)
			if !share.Take(grown - have) {
				return nil, errMemory
			}
			body = append(make([]byte, 0, grown), body...)
		}
		into := body[len(body):cap(body)]
		if len(into) == 0 {
			into = end[:]
		}
		n, err := from.Read(into)
		switch {
		case n > cap(body)-len(body):
			return nil, io.ErrUnexpectedEOF // net/http cuts a body at its announced length
		case err == io.EOF:
			return body[:len(body)+n], nil
		case err != nil:
			return nil, err
		}
		body = body[:len(body)+n]
	}
}

// passBody reads and discards the body of a request whose body has no meaning. Until a body has been read, net/http does not notice that the
// client has disconnected. A body larger than smallBody is refused, because waiting for its end costs too much.
func passBody(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength == 0 {
		return nil // Body may be nil, where a program made the request by http.NewRequest
	}
	if r.ContentLength > smallBody {
		if r.ProtoMajor == 1 {
			w.Header().Set("Connection", "close") // otherwise net/http waits for the body before it answers
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

// timeBody starts the deadline of a body, whoever reads it: net/http reads, and discards, the body of a request that was refused before its
// body was read. If the connection has no deadlines, the server's own settings apply.
func timeBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		expectBody(w, r, time.Now().Add(bodyTimeout))
	}
}

// expectBody sets the time by which a body must have arrived. net/http's own limit for the answer (Server.WriteTimeout) runs from the head of
// the request. Here it starts at the body's deadline, or a slow body would not be answered.
func expectBody(w http.ResponseWriter, r *http.Request, by time.Time) {
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(by)
	if server, isServed := r.Context().Value(http.ServerContextKey).(*http.Server); isServed && server.WriteTimeout > 0 {
		_ = connection.SetWriteDeadline(by.Add(server.WriteTimeout))
	}
}

// timedBody is a body whose deadline moves with every bodyRate bytes that arrive.
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

// hasBody reports whether the body of a request has a meaning: in a POST that publishes, asks or replies.
func hasBody(r *http.Request) bool {
	return r.Method == http.MethodPost && sentPath(r.URL) != sessionPath
}

// WithoutBodies serves next, and refuses requests with bodies larger than a few KiB: no request to next needs one.
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
