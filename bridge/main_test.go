package bridge_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Nothing may be left running by a hub that is closed. The model is given room for long stories, unless the command
// line says otherwise.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.checks": "300", "rapid.steps": "100", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(os.Exit))
}
