// Package nodetest is what the tests of the packages around node share.
package nodetest

import (
	"testing"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// Settings sets settings in the environment, given by name without the prefix, and loads them as the command does.
func Settings(t testing.TB, set map[string]string) *configs.Settings {
	t.Helper()
	for name, value := range set {
		t.Setenv(configs.Prefix+"_"+name, value)
	}
	loaded, err := configs.Load("", node.Inspect)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}
