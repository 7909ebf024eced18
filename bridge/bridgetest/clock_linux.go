package bridgetest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Clock is the wall clock of processes that were built by WithMovableClock.
type Clock struct{ file string }

// NewClock returns a clock that shows the machine's time.
func NewClock(t testing.TB) *Clock {
	t.Helper()
	c := &Clock{file: filepath.Join(t.TempDir(), "clock")}
	c.Set(t, 0)
	return c
}

// Command is exec.Command for a program whose clock this is.
func (c *Clock) Command(path string, args ...string) *exec.Cmd {
	command := exec.Command(path, args...)
	command.Env = append(os.Environ(), clockVariable+"="+c.file)
	return command
}

// Set moves the clock away from the machine's, in full seconds.
func (c *Clock) Set(t testing.TB, by time.Duration) {
	t.Helper()
	file, err := os.OpenFile(c.file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.Write(binary.NativeEndian.AppendUint64(nil, uint64(by/time.Second))) // in place: the processes have mapped it
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// clockVariable names the file by which a wall clock is moved.
const clockVariable = "MOVABLE_CLOCK"

// WithMovableClock builds tailwater and nats-server with a standard library whose time.Now adds what a Clock says to the wall clock. The
// monotonic clock, by which timers run, is left alone, as it is when somebody sets the time of a machine.
func WithMovableClock(t testing.TB) (tailwater, server string) {
	t.Helper()
	dir := t.TempDir()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err = errors.Join(err, errFolder); err != nil {
		t.Fatal(err)
	}
	overlay, err := writeOverlay(dir, filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	tailwater, server = filepath.Join(dir, "tailwater"), filepath.Join(dir, "nats-server")
	for path, program := range map[string]string{
		tailwater: "github.com/tailwater/tailwater/cmd/tailwater", server: "github.com/nats-io/nats-server/v2",
	} {
		command := exec.Command("go", "build", "-overlay="+overlay, "-ldflags=-w", "-o", path, program)
		command.Dir = folder
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v: %s", program, err, out)
		}
	}
	return tailwater, server
}

const (
	plainNow   = "	sec, nsec, mono := runtimeNow()\n"
	movableNow = plainNow + "	if movedBy != nil {\n		sec += *movedBy\n	}\n"
	mapClock   = `
var movedBy = mapClock()

func mapClock() *int64 {
	name, isSet := syscall.Getenv("` + clockVariable + `")
	if !isSet {
		return nil
	}
	file, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		panic("open the clock: " + err.Error())
	}
	mapped, err := syscall.Mmap(file, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("map the clock: " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&mapped[0]))
}
`
)

// writeOverlay writes the changed file, and the file by which the go command finds it.
func writeOverlay(dir, original string) (overlay string, err error) {
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	// The first is that of Now; the others measure durations, on the monotonic clock.
	changed := strings.Replace(string(text), "func Now() Time {\n"+plainNow, "func Now() Time {\n"+movableNow, 1)
	changed = strings.Replace(changed, "import (\n", "import (\n\t\"syscall\"\n", 1)
	changed = strings.Replace(changed, "_ \"unsafe\"", "\"unsafe\"", 1)
	if !strings.Contains(changed, movableNow) {
		return "", fmt.Errorf("%s is not as expected", original)
	}
	file := filepath.Join(dir, "time.go")
	replaced, err := json.Marshal(map[string]map[string]string{"Replace": {original: file}})
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, errors.Join(err, os.WriteFile(file, []byte(changed+mapClock), 0o600), os.WriteFile(overlay, replaced, 0o600))
}
