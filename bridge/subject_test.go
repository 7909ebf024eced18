package bridge_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tailwater/tailwater/bridge"
)

// tokens returns n tokens, each of one letter.
func tokens(n int) string { return strings.TrimSuffix(strings.Repeat("a.", n), ".") }

var goodSubjects = []string{
	"chat", "chat.room1", "a-b_c~d!$%&'()+,:;=@[]^`{|}/\\\"#?", "$KV.bucket.key", "_INBOX.x",
	"*", ">", "*.*", "a.*.b", "a.>", "*.>", "a.*.>",
	"größe.Straße", "чат.комната", "聊天.房间", "الدردشة.غرفة", "गपशप.कमरा", "e\u0301",
	"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",        // Persian, with a non-joiner
	"\U0001f468\u200d\U0001f469\u200d\U0001f467.\u2764\ufe0f", // a family, joined, and a heart
	strings.Repeat("a", 128),
	strings.Repeat(strings.Repeat("a", 127)+".", 3) + strings.Repeat("a", 128),
	tokens(16),
}

var badSubjects = []struct{ subject, says string }{
	{"", "it is empty"},
	{".", "token 1 is"},
	{".a", "token 1 is"},
	{"a.", "token 2 is"},
	{"a..b", "token 2 is"},
	{"a.b.", "token 3 is"},
	{strings.Repeat("a", 129), "129 bytes; at most 128"},
	{"x." + strings.Repeat("\u00fc", 64) + "a", "129 bytes; at most 128"},
	{strings.Repeat(strings.Repeat("a", 127)+".", 4) + "a", "513 bytes; at most 512"},
	{tokens(17), "17 tokens; at most 16"},
	{"a b", "blank (U+0020)"},
	{" ", "blank (U+0020)"},
	{"a.b\tc", "blank (U+0009)"},
	{"a\u00a0b", "blank (U+00A0)"},
	{"a\u2003b", "blank (U+2003)"},
	{"a\u2028b", "blank (U+2028)"},
	{"a\u0085b", "blank (U+0085)"},
	{"a\r", "blank (U+000D)"},
	{"a\x00b", "U+0000, which is not printable"},
	{"a\x1bb", "U+001B, which is not printable"},
	{"a\x7fb", "U+007F, which is not printable"},
	{"a.\u202eb", "U+202E, which is not printable"},
	{"\ufeffa", "U+FEFF, which is not printable"},
	{"a\u200bb", "U+200B, which is not printable"},
	{"a\u00adb", "U+00AD, which is not printable"},
	{"a\xff", "is not UTF-8"},
	{"a.\xed\xa0\x80", "is not UTF-8"},
	{"a*b", "mixes the wildcard *"},
	{"a.*b", "mixes the wildcard *"},
	{"**", "mixes the wildcard *"},
	{"a>b", "mixes the wildcard >"},
	{"a.>>", "mixes the wildcard >"},
	{"a.*>", "mixes the wildcard *"},
	{">.a", "may only be the last"},
	{"a.>.b", "may only be the last"},
	{">.>", "may only be the last"},
}

func TestParseSubject(t *testing.T) {
	for _, good := range goodSubjects {
		if got, err := bridge.ParseSubject(good); err != nil || string(got) != good {
			t.Errorf("%q is a subject, but ParseSubject gives %q, %v", good, got, err)
		}
	}
	for _, bad := range badSubjects {
		got, err := bridge.ParseSubject(bad.subject)
		if !errors.Is(err, bridge.ErrSubject) || got != "" {
			t.Errorf("%q is no subject, but ParseSubject gives %q, %v", bad.subject, got, err)
		} else if !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%q: the error %q does not say %q", bad.subject, err, bad.says)
		}
	}
}

// obeysGrammar states the grammar a second time, by the categories of Unicode.
func obeysGrammar(s string) bool {
	all := strings.Split(s, ".")
	if len(s) > 512 || len(all) > 16 || !utf8.ValidString(s) {
		return false
	}
	for i, token := range all {
		if token == "*" || token == ">" && i == len(all)-1 {
			continue
		}
		wrong := strings.ContainsFunc(token, func(r rune) bool {
			visible := unicode.In(r, unicode.Letter, unicode.Mark, unicode.Number, unicode.Punct, unicode.Symbol)
			return r == '*' || r == '>' || !visible && r != '\u200c' && r != '\u200d'
		})
		if wrong || token == "" || len(token) > 128 {
			return false
		}
	}
	return true
}

func FuzzParseSubject(f *testing.F) {
	for _, good := range goodSubjects {
		f.Add(good)
	}
	for _, bad := range badSubjects {
		f.Add(bad.subject)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := bridge.ParseSubject(s)
		if accepted := err == nil; accepted != obeysGrammar(s) {
			t.Fatalf("ParseSubject(%q) = %q, %v", s, got, err)
		}
		if err == nil && string(got) != s || err != nil && !errors.Is(err, bridge.ErrSubject) {
			t.Fatalf("ParseSubject(%q) = %q, %v", s, got, err)
		}
	})
}

func TestReserved(t *testing.T) {
	for _, s := range []bridge.Subject{"$SYS.ping", "$JS.API.>", "$KV.b.k", "$", "_INBOX.x", "_R_.x", "_", "*", ">", "*.a", "*.>"} {
		if !s.Reserved() {
			t.Errorf("%q is not reserved", s)
		}
	}
	for _, s := range []bridge.Subject{"chat", "chat.$SYS", "chat._x", "chat.*", "chat.>", "a$", "a_"} {
		if s.Reserved() {
			t.Errorf("%q is reserved", s)
		}
	}
}

func TestReduce(t *testing.T) {
	for _, test := range []struct{ from, to []bridge.Subject }{
		{nil, nil},
		{[]bridge.Subject{"b", "a"}, []bridge.Subject{"a", "b"}},
		{[]bridge.Subject{"a", "b", "a", "a"}, []bridge.Subject{"a", "b"}},
		{[]bridge.Subject{"a.b", "a.*"}, []bridge.Subject{"a.*"}},
		{[]bridge.Subject{"a.*", "a.>", "a.b.c", "a"}, []bridge.Subject{"a", "a.>"}},
		{[]bridge.Subject{"*.b", "a.*", "a.b"}, []bridge.Subject{"*.b", "a.*"}},
		{[]bridge.Subject{"x.y", ">", "*"}, []bridge.Subject{">"}},
	} {
		given := slices.Clone(test.from)
		if got := bridge.Reduce(test.from); !slices.Equal(got, test.to) {
			t.Errorf("Reduce(%q) = %q, want %q", test.from, got, test.to)
		}
		if !slices.Equal(given, test.from) {
			t.Errorf("Reduce has changed what it was given, %q, to %q", given, test.from)
		}
	}
}

// If several filters match a subject, exactly one of them takes its message.
func TestFirstMatch(t *testing.T) {
	filters := []bridge.Subject{"*.b.c", "a.*.c", "a.b.>", "x"}
	for subject, want := range map[string]bridge.Subject{
		"a.b.c": "*.b.c", "a.x.c": "a.*.c", "z.b.c": "*.b.c", "a.b.x": "a.b.>", "a.b.c.d": "a.b.>", "x": "x", "a.b": "", "y": "",
	} {
		if got := bridge.FirstMatch(filters, subject); got != want {
			t.Errorf("%q is taken by %q, want %q", subject, got, want)
		}
	}
}

// An error begins with the reason, and repeats only a short part of the caller's text, so that a page can show it.
func TestReasonComesFirst(t *testing.T) {
	long := strings.Repeat("x", 100) + " " + strings.Repeat("y", 100)
	_, err := bridge.ParseSubject("chat." + long)
	if err == nil || !strings.HasPrefix(err.Error(), "not a subject: token 2 has 201 bytes") || strings.Contains(err.Error(), strings.Repeat("x", 50)) {
		t.Errorf("got %v", err)
	}
	if _, err := bridge.ParseSubject("chat.a b"); err == nil || err.Error() != `not a subject: token 2 holds a blank (U+0020): "chat.a b"` {
		t.Errorf("got %v", err)
	}
	if err := (bridge.Grant{}).CheckSubscribe(bridge.Subject(strings.Repeat("x", 100))); len(err.Error()) > 240 {
		t.Errorf("%d bytes: %v", len(err.Error()), err)
	}
}
