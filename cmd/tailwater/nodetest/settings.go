// Package nodetest is what the tests of the packages around node share.
package nodetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// Settings loads settings, given by name without the prefix, as the command does. They are in a file, because the environment is shared
// with tests that run at the same time.
func Settings(t testing.TB, set map[string]string) *configs.Settings {
	t.Helper()
	var text strings.Builder
	for name, value := range set {
		fmt.Fprintf(&text, "%s_%s=%q\n", configs.Prefix, name, value)
	}
	file := filepath.Join(t.TempDir(), "settings.env")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := configs.Load(file, node.Inspect)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}
