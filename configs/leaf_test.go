package configs

import (
	"slices"
	"strings"
	"testing"

	"github.com/kelseyhightower/envconfig"
)

// Settings have the names under which envconfig reads them, and its order.
func TestNamesAreThoseOfEnvconfig(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	if err := envconfig.Usagef(Prefix, new(Settings), &want, "{{range .}}{{.Key}}\n{{end}}"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range leaves(new(Settings)) {
		got = append(got, l.key())
	}
	if names := strings.Fields(want.String()); !slices.Equal(got, names) || len(names) < 50 {
		t.Errorf("the settings are %q, and envconfig reads %q", got, names)
	}
}
