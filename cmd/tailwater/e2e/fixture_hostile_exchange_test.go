package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// answers are the connections of one stranger's requests, which are read until they end.
type answers struct {
	all          []*exchange
	begun, ended sync.WaitGroup // those whose connection is open, or will never be
}

// exchange is a request and what came of it.
type exchange struct {
	intrusion intrusion // before it was disguised
	request   string
	method    string

	mu     sync.Mutex
	answer []byte // so far

	status   int // of the answer; 0: there was none
	header   http.Header
	isServed bool
	isAbout  bool // it depends on who asks: served, or refused by what the caller may
}

// intrude sends all, without waiting for answers.
func (s stranger) intrude(t *testing.T, address net.Addr, all []intrusion) *answers {
	t.Helper()
	a := &answers{}
	for _, i := range all {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			e := &exchange{intrusion: i, method: method}
			a.all = append(a.all, e)
			a.ask(t, address, e, s.disguise(i), s.body())
		}
	}
	return a
}

func (all *answers) ask(t *testing.T, address net.Addr, e *exchange, i intrusion, body string) {
	t.Helper()
	e.request = raw(e.method, i, body)
	conn, err := net.Dial("tcp", address.String())
	noError(t, err)
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	// The server may refuse a request before it has read all of it.
	_, _ = io.WriteString(conn, e.request)
	if e.method == http.MethodPost || i.saysLength() {
		_ = conn.(*net.TCPConn).CloseWrite() // whatever length it says to have
	}
	all.begun.Add(1)
	all.ended.Go(func() {
		defer conn.Close()
		hasBegun := sync.OnceFunc(all.begun.Done)
		defer hasBegun()
		var answer []byte
		chunk := make([]byte, 4096)
		for {
			n, err := conn.Read(chunk)
			answer = append(answer, chunk[:n]...)
			if e.hear(answer) {
				hasBegun()
			}
			if err != nil {
				e.parse(t)
				return
			}
		}
	})
}

// hear takes note of the answer so far, and tells whether a connection was told where it begins: from there on it gets what
// is published.
func (e *exchange) hear(answer []byte) (isOpen bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
	return bytes.Contains(answer, []byte("tailwater:"))
}

// have reports whether some answer holds a text.
func (all *answers) have(text string) bool {
	return slices.ContainsFunc(all.all, func(e *exchange) bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return bytes.Contains(e.answer, []byte(text))
	})
}

func raw(method string, i intrusion, body string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nConnection: close\r\n", method, i.target)
	rest := i.lines()
	if !strings.HasPrefix(rest, "Host:") && !strings.Contains(rest, "\nHost:") {
		text.WriteString("Host: localhost\r\n")
	}
	if rest != "" {
		text.WriteString(rest + "\r\n")
	}
	if method != http.MethodPost {
		body = ""
	} else if !i.saysLength() {
		fmt.Fprintf(&text, "Content-Length: %d\r\n", len(body))
	}
	return text.String() + "\r\n" + body
}

// check looks at each answer to a stranger, and at what it has heard in all of them: neither less nor more than it may.
func (all *answers) check(t *testing.T, s stranger, anonymous *answers) {
	t.Helper()
	heard, served := map[string]bool{}, 0
	isAbout := map[string]bool{}
	for _, e := range anonymous.all {
		isAbout[e.key()] = e.isAbout
	}
	for _, e := range all.all {
		e.look(t)
		for _, subject := range e.canaries() {
			heard[subject] = true
			if !slices.Contains(s.hears, subject) {
				t.Errorf("%s hears the canary on %q by %s: %.500q", s.name, subject, e, e.answer)
			}
		}
		if e.isServed {
			served++
		}
		isTold := e.status == http.StatusUnauthorized || e.status == http.StatusRequestHeaderFieldsTooLarge // with the token, that is
		if s.isRefused && (e.isServed || isAbout[e.key()] && !isTold) {
			t.Errorf("%s is answered %d to %s", s.name, e.status, e)
		}
	}
	if len(heard) < len(s.hears) {
		t.Errorf("%s hears the canaries on %v only, and may on %v", s.name, heard, s.hears)
	}
	if served < 20 && !s.isRefused {
		t.Errorf("only %d of the %d requests %s were served at all, which proves little of the others", served, len(all.all), s.name)
	}
	t.Logf("%s: %d requests, %d of them served", s.name, len(all.all), served)
}

func (e *exchange) key() string { return e.method + raw(e.method, e.intrusion, "") }

func (e *exchange) String() string { return fmt.Sprintf("%.200q", e.request) }

var singing = regexp.MustCompile(canary + `(?: on ([\w$.]+))?`)

// canaries returns the subjects of those that sing in an answer.
func (e *exchange) canaries() (subjects []string) {
	for _, match := range singing.FindAllSubmatch(e.answer, -1) {
		subjects = append(subjects, string(match[1]))
	}
	return subjects
}

// parse reads an answer of HTTP/1.
func (e *exchange) parse(t *testing.T) {
	if len(e.answer) == 0 {
		return
	}
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(e.answer)), &http.Request{Method: e.method})
	if err != nil {
		t.Errorf("%s is answered by what is no HTTP: %v: %.200q", e, err, e.answer)
		return
	}
	response.Body.Close()
	e.status, e.header = response.StatusCode, response.Header
}

// look finds what must be in no answer, and what the answer amounts to.
func (e *exchange) look(t *testing.T) {
	t.Helper()
	switch e.status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusSwitchingProtocols:
		t.Errorf("%s is answered %d", e, e.status)
	}
	if e.status >= 300 && e.status < 400 || e.header.Get("Location") != "" {
		t.Errorf("%s is redirected: %d to %q", e, e.status, e.header.Get("Location"))
	}
	if e.header.Get("X-Injected") != "" || bytes.Contains(e.answer, []byte("\nX-Injected")) {
		t.Errorf("%s puts a header into the answer: %.300q", e, e.answer)
	}
	if !strings.HasPrefix(e.intrusion.target, "/session") || e.status != http.StatusOK {
		secrets.Overhear(string(e.answer))
	}
	kind, _, _ := strings.Cut(e.header.Get("Content-Type"), ";")
	e.isServed = e.status == http.StatusCreated || e.status == http.StatusAccepted ||
		e.status == http.StatusOK && (kind == "text/event-stream" || kind == "application/x-ndjson")
	e.isAbout = e.isServed || e.status == http.StatusUnauthorized || bytes.Contains(e.answer, []byte("#forbidden"))
}
