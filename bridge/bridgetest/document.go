package bridgetest

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// Document compares a file with its generated text, which may depend on the present text. If write is true, it writes the file instead.
// command is the one that writes it.
func Document(t *testing.T, path, command string, write bool, want func(old string) string) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil && (!write || !errors.Is(err, fs.ErrNotExist)) {
		t.Error(err)
		return
	}
	text := want(string(old))
	if text == string(old) {
		return
	}
	if !write {
		t.Errorf("%s is out of date; run: %s", path, command)
	} else if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Error(err)
	}
}

// Between returns a function that replaces the text between the comments <!-- name:begin --> and <!-- name:end --> of a document.
func Between(t *testing.T, name, text string) func(old string) string {
	begin, end := "<!-- "+name+":begin -->\n", "<!-- "+name+":end -->"
	return func(old string) string {
		t.Helper()
		before, rest, hasBegin := strings.Cut(old, begin)
		_, after, hasEnd := strings.Cut(rest, end)
		if !hasBegin || !hasEnd {
			t.Fatalf("the lines %s and %s are missing", strings.TrimSpace(begin), end)
		}
		return before + begin + text + end + after
	}
}
