package bridge_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

var goodPaths = []struct {
	path string
	want bridge.Subject
}{
	{"chat", "chat"},
	{"chat/room1", "chat.room1"},
	{"chat.room1", "chat.room1"},
	{"a.b/c.d", "a.b.c.d"},
	{"chat/*", "chat.*"},
	{"chat/%2A", "chat.*"},
	{"chat/>", "chat.>"},
	{"chat/%3E", "chat.>"},
	{"chat/%3e", "chat.>"},
	{"%63hat/r%6fom", "chat.room"},
	{"gr%C3%B6%C3%9Fe", "größe"},
	{"größe", "größe"},
	{"%E8%81%8A%E5%A4%A9/%F0%9F%8C%8A", "聊天.\U0001f30a"},
	{"a+b", "a+b"},
	{"50%25", "50%"},
	{"%252E", "%2E"}, // decoded once only
}

var badPaths = []string{
	"", "/", "//", "/a", "a/", "a//b", "a/%20", "a%20b",
	".", "..", "a/..", "a/../b", "./a", "a/./b", ".a", "a.", "a./b", "a/.b", "a..b",
	"a%2Fb", "a%2fb", "%2F", "a%2Eb", "a%2eb", "%2e%2e", "a/%2E%2E/b", "%2e", "a.b%2Ec",
	"a%00b", "a%0ab", "a%0Db", "a%09b", "a%ff", "%ed%a0%80", "a%C2%A0b", "%E2%80%AE",
	"a%", "a%zz", "a%2", "%2", "%u0041",
	"a*b", "%3E/a", ">/a", "a/%2A%2A",
	strings.Repeat("a", 129), strings.Repeat("%61", 129), strings.Repeat("a/", 16) + "a",
}

// subjectOf returns the subject of a path below /events/.
func subjectOf(t testing.TB, path string) (bridge.Subject, error) {
	t.Helper()
	subject, fits, err := bridge.Events.Resolve("/events/" + path)
	if !fits {
		t.Fatalf("%q is no path of events", path)
	}
	return subject, err
}

func TestPath(t *testing.T) {
	for _, test := range goodPaths {
		if got, err := subjectOf(t, test.path); err != nil || got != test.want {
			t.Errorf("the subject of %q is %q, %v; want %q", test.path, got, err, test.want)
		}
	}
	for _, path := range badPaths {
		if got, err := subjectOf(t, path); !errors.Is(err, bridge.ErrSubject) || got != "" {
			t.Errorf("the subject of %q is %q, %v; want ErrSubject", path, got, err)
		}
	}
}

// The error of a refused path uses the sender's own words.
func TestPathSaysWhatToDo(t *testing.T) {
	for path, says := range map[string]string{
		"a//b":  "one slash or dot between tokens",
		"a/b/":  "one slash or dot between tokens",
		"a%2Fb": "encoded slash",
		"a%2Eb": "write a plain dot",
		"a%zz":  "RFC 3986",
	} {
		if _, err := subjectOf(t, path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("the subject of %q: the error %v does not say %q", path, err, says)
		}
	}
}

// encodeURIComponent of a subject is a path to it.
func TestEscapedSubjectIsAPath(t *testing.T) {
	for _, good := range goodSubjects {
		if strings.Contains(good, "/") {
			continue // no path can name a token that holds a slash
		}
		if got, err := subjectOf(t, url.PathEscape(good)); err != nil || string(got) != good {
			t.Errorf("the path of %q gives %q, %v", good, got, err)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, test := range goodPaths {
		f.Add(test.path)
	}
	for _, path := range badPaths {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		subject, err := subjectOf(t, path)
		if err != nil {
			if !errors.Is(err, bridge.ErrSubject) || subject != "" {
				t.Fatalf("the subject of %q is %q, %v", path, subject, err)
			}
			return
		}
		if !obeysGrammar(string(subject)) {
			t.Fatalf("the subject of %q is %q, which is no subject", path, subject)
		}
		// The separators are those that stand in the path, for all to see.
		plain := strings.Count(path, "/") + strings.Count(path, ".")
		if got := strings.Count(string(subject), "."); got != plain || strings.Contains(string(subject), "/") {
			t.Fatalf("the subject of %q is %q: a separator came from an encoding", path, subject)
		}
		if again, err := subjectOf(t, url.PathEscape(string(subject))); err != nil || again != subject {
			t.Fatalf("the path of %q gives %q, %v", subject, again, err)
		}
	})
}
