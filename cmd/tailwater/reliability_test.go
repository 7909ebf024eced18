package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

// TestRunbookNamesWhatExists proves that each log line and metric that RELIABILITY.md names is in the code.
func TestRunbookNamesWhatExists(t *testing.T) {
	t.Parallel()
	sources := files(t, ".go")
	maps.DeleteFunc(sources, func(file, _ string) bool { return strings.HasSuffix(file, "_test.go") })
	code := joined(sources)
	_, runbook, _ := strings.Cut(read(t, "RELIABILITY.md"), "## At three in the morning")
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
	if logged < 10 || metrics < 10 {
		t.Errorf("only %d log lines and %d metrics were found", logged, metrics)
	}
}
