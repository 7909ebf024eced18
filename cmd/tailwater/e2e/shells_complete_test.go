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
		"su":                    "sub\n",
		"comp":                  "completion\n",
		"sub --si":              "--since\n",
		"sub chat.a --ver":      "--version\n",
		"sub chat.a --color":    "",
		"help be":               "",
		"pub chat.a x --idempo": "--idempotency-key\n",
	} {
		// What bash itself calls, with its words.
		bash := exec.Command("bash", "-c", `eval "$(tailwater completion bash)"; COMP_WORDS=(tailwater $0); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
			$(complete -p tailwater | sed 's/.*-F \([^ ]*\) .*/\1/'); printf '%s\n' "${COMPREPLY[@]}"`, line)
		bash.Env = append(os.Environ(), "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"))
		if out, err := bash.CombinedOutput(); err != nil || strings.TrimLeft(string(out), "\n") != want {
			t.Errorf("%q continues with %q (%v), want %q", line, out, err, want)
		}
	}
	for _, shell := range []string{"zsh", "fish"} {
		if code, out, _ := call(t, nil, "completion", shell); code != 0 || !strings.Contains(out, "complete ") {
			t.Errorf("%s: exit code %d: %s", shell, code, out)
		}
	}
	if code, _, _ := call(t, nil, "completion", "cmd"); code != exitUsage {
		t.Errorf("a shell that is not known: exit code %d", code)
	}
}
