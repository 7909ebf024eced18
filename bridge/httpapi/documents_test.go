package httpapi_test

import (
	"maps"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/httpapi"
)

// The type of a problem is the address of the row that explains it. Each problem has one, with its status, and no row is left over.
func TestProblemsAreExplained(t *testing.T) {
	const page = "https://github.com/tailwater/tailwater/blob/main/"
	rows := make(map[string]int)
	for address := range httpapi.Problems() {
		path, _, _ := strings.Cut(strings.TrimPrefix(address, page), "#")
		for slug, status := range explained(t, path) {
			rows[page+path+"#"+slug] = status
		}
	}
	if want := httpapi.Problems(); !maps.Equal(rows, want) {
		t.Errorf("explained: %v\nproblems: %v", rows, want)
	}
}

var problemRow = regexp.MustCompile("(?m)^\\| <a id=\"([a-z-]+)\"></a>`([a-z-]+)` \\| ([0-9]+) \\| .{10}")

// explained returns the problems that a page of this repository has a row for, with their statuses.
func explained(t *testing.T, path string) map[string]int {
	t.Helper()
	text, err := os.ReadFile("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]int)
	for _, row := range problemRow.FindAllStringSubmatch(string(text), -1) {
		if row[1] != row[2] {
			t.Errorf("%s is the anchor of %s", row[1], row[2])
		}
		if rows[row[1]], err = strconv.Atoi(row[3]); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}
