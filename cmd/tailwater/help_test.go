package main

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

//go:generate go test -run ^TestHelpIsDocumented$ -update .

var update = flag.Bool("update", false, "write the generated documentation instead of comparing it")

// The page of the command contains the printed help of each command with flags of its own, except the table of settings.
func TestHelpIsDocumented(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	var page strings.Builder
	for _, command := range []string{"", "sub", "pub", "ask", "token", "bench"} {
		args := append(strings.Fields(command), "--help")
		var out, problems strings.Builder
		if code := run(t.Context(), args, &out, &problems); code != 0 || problems.Len() > 0 {
			t.Fatalf("%v: %d %s", args, code, problems.String())
		}
		flags, _, _ := strings.Cut(out.String(), "\nSettings, from the environment:")
		fmt.Fprintf(&page, "```\n$ tailwater %s\n%s\n```\n\n", strings.Join(args, " "), strings.TrimRight(flags, "\n"))
	}
	bridgetest.Document(t, "README.md", "go generate ./cmd/tailwater", *update, bridgetest.Between(t, "help", page.String()))
}
