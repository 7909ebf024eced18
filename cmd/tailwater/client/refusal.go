package client

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrGaveUp means that there was no answer for as long as the Config allows.
var ErrGaveUp = errors.New("gave up")

// Refusal is an answer other than the one that was asked for.
type Refusal struct {
	Status int
	Type   string        // of the problem (RFC 9457); "" if the answer is not a bridge's
	Detail string        // what the problem says, or the status
	After  time.Duration // when to ask again; 0 if the answer does not say
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%d %s: %s", r.Status, http.StatusText(r.Status), r.Detail)
}

// passes reports whether the same request may succeed later. A proxy that has no bridge behind it answers without a problem's type.
func (r *Refusal) passes() bool {
	if strings.HasSuffix(r.Type, "#no-responders") {
		return false // whoever asks wants to know at once
	}
	switch r.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	}
	return r.Status >= 500 && r.Type == ""
}

// passes reports whether another attempt may succeed.
func passes(err error) bool {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.passes()
	}
	// A certificate does not become valid by asking again.
	return !errors.As(err, new(*tls.CertificateVerificationError))
}

const notABridge = "this is not the answer of a bridge"

// maxProblem bounds what is read of an answer that is not the one that was asked for.
const maxProblem = 64 << 10

// refusalOf reads an answer, and closes it.
func refusalOf(response *http.Response) *Refusal {
	defer response.Body.Close()
	refusal := &Refusal{Status: response.StatusCode, Detail: notABridge}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		refusal.After = time.Duration(seconds) * time.Second
	}
	if to := response.Header.Get("Location"); to != "" && response.StatusCode/100 == 3 {
		refusal.Detail = "the address leads to " + to + ", and bridges never redirect; a proxy may want a sign-in, or https"
		return refusal
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxProblem))
	var problem struct{ Type, Title, Detail string }
	if err == nil && json.Unmarshal(text, &problem) == nil && problem.Type != "" {
		refusal.Type, refusal.Detail = problem.Type, problem.Detail
	}
	return refusal
}
