package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// command is a call of the command line that runs beside its test.
type command struct {
	cmd      *exec.Cmd
	out, err bridgetest.Output
	ended    chan struct{}
}

// begin calls the command line. It is killed at the end of the test, if it has not ended before.
func begin(t *testing.T, input io.Reader, args ...string) *command {
	t.Helper()
	path, err := bridgetest.Tailwater()
	noError(t, err)
	c := &command{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	c.cmd.Dir, c.cmd.Env = t.TempDir(), os.Environ()
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = input, &c.out, &c.err
	noError(t, c.cmd.Start())
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() // ProcessState says how it has ended
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.ended
		secrets.Overhear(c.err.String())
		if t.Failed() {
			t.Logf("%q printed\n%.2000s\n%.2000s", args, c.out.String(), c.err.String())
		}
	})
	return c
}

// code waits for the end, and returns the exit code; -1 if a signal has ended the command.
func (c *command) code(t *testing.T) int {
	t.Helper()
	eventually(t, "the command ends", func() bool {
		select {
		case <-c.ended:
			return true
		default:
			return false
		}
	})
	return c.cmd.ProcessState.ExitCode()
}

// lines waits until the command has printed so many lines at least, and returns them.
func (c *command) lines(t *testing.T, n int) []string {
	t.Helper()
	eventually(t, fmt.Sprintf("%d lines", n), func() bool { return strings.Count(c.out.String(), "\n") >= n })
	return strings.SplitAfter(c.out.String(), "\n")[:n]
}

// says waits until the command has printed a text on standard error.
func (c *command) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("it says %q", text), func() bool { return strings.Contains(c.err.String(), text) })
}

// printed returns an object that a command has printed as a line.
func printed(t *testing.T, line string) (object struct{ Subject, Event, Data, ID string }) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		t.Errorf("%v: %q", err, line)
	}
	return object
}
