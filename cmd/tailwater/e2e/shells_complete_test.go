package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Shells ask the command how a line can continue.
func TestShellsComplete(t *testing.T) {
	t.Parallel()
	path, err := bridgetest.Tailwater()
	noError(t, err)
	for line, want := range map[string]string{
		"tailwater su":                    "sub\n",
		"tailwater comp":                  "completion\n",
		"tailwater sub --si":              "--since\n",
		"tailwater sub chat.a --ver":      "--version\n",
		"tailwater sub chat.a --color":    "",
		"tailwater help be":               "",
		"tailwater pub chat.a x --idempo": "--idempotency-key\n",
	} {
		complete := exec.Command(path, "complete", "tailwater", "x", "--y")
		complete.Env = append(os.Environ(), "COMP_LINE="+line)
		if out, err := complete.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("%q continues with %q (%v), want %q", line, out, err, want)
		}
	}
	// bash itself calls it, by its name.
	bash := exec.Command("bash", "-c", `eval "$(tailwater completion bash)" && complete -p tailwater && tailwater completion zsh && tailwater completion fish`)
	bash.Env = append(os.Environ(), "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"))
	if out, err := bash.CombinedOutput(); err != nil || strings.Count(string(out), "tailwater complete") != 3 {
		t.Errorf("%v: %s", err, out)
	}
}
