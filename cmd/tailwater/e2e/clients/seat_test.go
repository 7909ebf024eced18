//go:build unix

package clients

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// seat is one client under one fault: where it connects, and what it got.
type seat struct {
	client  client
	job     job
	witness *witness

	mu     sync.Mutex
	got    []told // without what Tailwater says of the connection itself
	errors []string
	late   string // what the test has waited for in vain
}

// job tells a program which client to run, and what that client reads.
type job struct {
	ID     string `json:"id"`
	Client string `json:"client"`
	URL    string `json:"url"`
}

// told is what a program tells of a client: an event, or an error that ends it.
type told struct{ Job, Type, Data, ID, Error string }

func (s *seat) note(line told) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case line.Error != "":
		s.errors = append(s.errors, line.Error)
	case strings.HasPrefix(line.Type, "tailwater:") && line.Type != "tailwater:binary":
	default:
		s.got = append(s.got, line)
	}
}

func (s *seat) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

func (s *seat) fail(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = why
}

func (s *seat) failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.late != ""
}

// complaints holds what the client got against what was published, and says everything that is not as promised: each
// message once and in order, nothing else, and a return only with the position.
func (s *seat) complaints(sent []string, matches func(told, string) bool) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	complain := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if s.late != "" {
		complain("not in time: %s", s.late)
	}
	for _, e := range s.errors {
		complain("the client says: %.200s", e)
	}
	s.witness.note(func() {
		if i := slices.IndexFunc(s.witness.requests, func(id string) bool { return id != "" }); i >= 0 && slices.Contains(s.witness.requests[i:], "") {
			complain("it came back without a position after it had brought one")
		}
		for i, opening := range s.witness.openings {
			if opening != "open" {
				complain("connection %d begins with %s", i+1, opening)
			}
		}
	})
	if d := difference(s.got, sent, matches); d != "" {
		complain("%s", d)
	}
	return all
}

// difference describes the first place where what came is not what was published.
func difference(got []told, sent []string, matches func(told, string) bool) string {
	for i, data := range sent {
		switch {
		case i >= len(got):
			return fmt.Sprintf("%d messages came, of %d", len(got), len(sent))
		case !matches(got[i], data):
			return fmt.Sprintf("message %d of %d is %.80q (%s), came %.80q", i+1, len(sent), data, got[i].Type, got[i].Data)
		}
	}
	if len(got) > len(sent) {
		return fmt.Sprintf("%d messages came, of %d: the first too many is %.80q", len(got), len(sent), got[len(sent)].Data)
	}
	return ""
}

// isRaw, isJSON and isSignal report whether an event carries a payload, in each of the forms.
func isRaw(got told, payload string) bool {
	if isText(payload) {
		return got.Data == strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(payload)
	}
	return got.Type == "tailwater:binary" && got.Data == base64.StdEncoding.EncodeToString([]byte(payload))
}

func isJSON(got told, payload string) bool {
	var object struct {
		Data   *string
		Base64 *string `json:"data_base64"`
	}
	if json.Unmarshal([]byte(got.Data), &object) != nil {
		return false
	}
	if isText(payload) {
		return object.Data != nil && *object.Data == payload
	}
	return object.Base64 != nil && *object.Base64 == base64.StdEncoding.EncodeToString([]byte(payload))
}

func isSignal(got told, payload string) bool { return got.Data == payload }

func isText(payload string) bool {
	return utf8.ValidString(payload) && !strings.ContainsRune(payload, 0)
}
