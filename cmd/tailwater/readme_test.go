package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentsNameRealTests holds the documents to their word: a promise names the test that proves it.
func TestDocumentsNameRealTests(t *testing.T) {
	tests := allTests(t)
	for _, document := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"} {
		for _, match := range regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(read(t, document), -1) {
			if !strings.Contains(tests, "func "+match[1]+"(") {
				t.Errorf("%s names %s, and there is no such test", document, match[1])
			}
		}
	}
}

// TestReadmeExplainsEveryProblem follows the types of problems, which are addresses in the README.
func TestReadmeExplainsEveryProblem(t *testing.T) {
	readme := read(t, "README.md")
	slugs := regexp.MustCompile(`slug: "([a-z-]+)"`).FindAllStringSubmatch(read(t, "bridge/httpapi/problem.go"), -1)
	if len(slugs) < 10 {
		t.Fatalf("only %d types were found", len(slugs))
	}
	for _, slug := range slugs {
		if !strings.Contains(readme, `<a id="`+slug[1]+`"></a>`) {
			t.Errorf("the README does not explain %s", slug[1])
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// allTests gives the text of every test file.
func allTests(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		all.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
