package bridgetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// folder is the one of the tests, wherever a test changes to.
var folder, errFolder = os.Getwd()

// Tailwater builds the command as a user gets it and returns its path.
var Tailwater = sync.OnceValues(func() (string, error) { return build("tailwater") })

// natsServerBinary builds the server of go.mod and returns its path.
var natsServerBinary = sync.OnceValues(func() (string, error) { return build("nats-server") })

// build builds a tool of go.mod. Go keeps the binary among what it has built, so that it is linked once for all packages and all runs.
func build(tool string) (path string, err error) {
	command := exec.Command("go", "tool", "-n", tool)
	command.Dir = folder
	out, err := command.CombinedOutput()
	if err = errors.Join(errFolder, err); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", tool, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
