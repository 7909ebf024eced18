package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

// TestRunbookNamesWhatExists proves that each log line, metric and test that RELIABILITY.md names is in the code.
func TestRunbookNamesWhatExists(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../RELIABILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	code, tests := sourceText(t)
	_, runbook, _ := strings.Cut(string(text), "## At three in the morning")
	quoted := regexp.MustCompile("`([^`]+)`")
	logged, metrics := 0, 0
	for _, item := range strings.Split(runbook, "\n* ") {
		if !strings.HasPrefix(item, "Log: ") {
			continue
		}
		for _, line := range quoted.FindAllStringSubmatch(item, -1) {
			if logged++; line[1] != "away_for" && !strings.Contains(code, line[1]) {
				t.Errorf("no code logs %q", line[1])
			}
		}
	}
	for _, name := range regexp.MustCompile(`\btailwater_[a-z_]+`).FindAllString(runbook, -1) {
		if metrics++; !slices.ContainsFunc(node.Metrics(), func(m node.Metric) bool { return m.Name == name }) {
			t.Errorf("there is no metric %s", name)
		}
	}
	for _, name := range regexp.MustCompile(`\bTest\w+`).FindAllString(string(text), -1) {
		if !strings.Contains(tests, "func "+name+"(") {
			t.Errorf("there is no test %s", name)
		}
	}
	if logged < 10 || metrics < 10 {
		t.Errorf("only %d log lines and %d metrics were found", logged, metrics)
	}
}

// sourceText returns all Go code of this repository, and all its tests.
func sourceText(t *testing.T) (code, tests string) {
	t.Helper()
	var all, allTests strings.Builder
	for _, folder := range []string{"../../bridge", "../../cmd", "../../embed", "../../configs"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
				return err
			}
			text, err := os.ReadFile(path)
			if strings.HasSuffix(path, "_test.go") {
				allTests.Write(text)
			} else {
				all.Write(text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String(), allTests.String()
}
