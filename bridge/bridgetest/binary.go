package bridgetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// folder is the one of the tests, wherever a test changes to.
var folder, errFolder = os.Getwd()

// binaries is the folder of the commands that were built, once there is one.
var binaries struct {
	mu     sync.Mutex
	folder string
}

// Tailwater builds the command as a user gets it, once for each test binary, and returns its path.
var Tailwater = sync.OnceValues(func() (string, error) {
	return build("tailwater", "github.com/tailwater/tailwater/cmd/tailwater")
})

// natsServerBinary does the same for the server of go.mod.
var natsServerBinary = sync.OnceValues(func() (string, error) {
	return build("nats-server", "github.com/nats-io/nats-server/v2")
})

// RemoveBinaries deletes the commands that tests have built; for TestMain, after the tests.
func RemoveBinaries() {
	binaries.mu.Lock()
	defer binaries.mu.Unlock()
	if binaries.folder != "" {
		_ = os.RemoveAll(binaries.folder)
	}
}

func build(name, pkg string) (path string, err error) {
	binaries.mu.Lock()
	defer binaries.mu.Unlock()
	if errFolder != nil {
		return "", errFolder
	}
	if binaries.folder == "" {
		if binaries.folder, err = os.MkdirTemp("", "tailwater-tests-"); err != nil {
			return "", err
		}
	}
	path = filepath.Join(binaries.folder, name)
	command := exec.Command("go", "build", "-o", path, pkg)
	command.Dir = folder
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, out)
	}
	return path, nil
}
