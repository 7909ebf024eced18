package e2e

import (
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// What is released for this machine is the same if it is built again, has documents whose links lead, and runs: the binary of the archive and of Debian's package, which know their commit, and the image by a container engine, with
// the documented command: as its user, with a root that is read-only, a published port, a folder that lasts, and the container's limit of memory.
func TestReleaseRuns(t *testing.T) {
	onlySoak(t)
	out := t.TempDir()
	root := filepath.Join("..", "..", "..")
	release := func(out string) { run(t, filepath.Join(root, ".ci", "release"), out, "linux/"+runtime.GOARCH) }
	release(out)
	run(t, "sh", "-c", `cd "$0" && sha256sum --quiet -c checksums.txt`, out)
	commit := strings.TrimSpace(run(t, "git", "rev-parse", "HEAD"))

	run(t, "tar", "-C", out, "-xzf", only(t, out, "tailwater_*.tar.gz"))
	unpacked := only(t, out, "tailwater_*/tailwater")
	if version := run(t, unpacked, "--version"); !strings.Contains(version, commit) {
		t.Errorf("the version of the archive's binary is %q, without the commit", version)
	}

	t.Run("twice", func(t *testing.T) {
		again := t.TempDir()
		release(again)
		run(t, "sh", "-c", `cd "$0" && sha256sum --quiet -c "$1"/checksums.txt`, again, out)
	})

	t.Run("documents", func(t *testing.T) {
		folder := filepath.Dir(unpacked)
		found := 0
		err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".md" {
				return err
			}
			found++
			for _, link := range regexp.MustCompile(`\]\(([^)\s#:]+\.md)[)#]`).FindAllStringSubmatch(text(t, func() ([]byte, error) { return os.ReadFile(path) }), -1) {
				if _, err := os.Stat(filepath.Join(filepath.Dir(path), link[1])); err != nil {
					t.Errorf("%s of the archive: %v", path, err)
				}
			}
			return nil
		})
		if err != nil || found < 15 {
			t.Errorf("%d documents, %v", found, err)
		}
	})

	t.Run("deb", func(t *testing.T) {
		folder := t.TempDir()
		run(t, "dpkg-deb", "-x", only(t, out, "*.deb"), folder)
		if version := run(t, filepath.Join(folder, "usr/bin/tailwater"), "--version"); !strings.Contains(version, commit) {
			t.Errorf("the version of the package's binary is %q", version)
		}
		run(t, filepath.Join(folder, "usr/bin/tailwater"), "check", "--env-file="+filepath.Join(folder, "etc/tailwater/tailwater.env"))
		unit := text(t, func() ([]byte, error) {
			return os.ReadFile(filepath.Join(folder, "lib/systemd/system/tailwater.service"))
		})
		const installed = "ExecStart=/usr/bin/tailwater\n"
		if !strings.Contains(unit, installed) {
			t.Errorf("the unit starts another binary than that of the package:\n%s", unit)
		}
		unit = writeFile(t, folder, "tailwater.service", strings.Replace(unit, installed, "ExecStart="+folder+installed[len("ExecStart="):], 1))
		run(t, "systemd-analyze", "verify", unit)
		run(t, "systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
	})

	t.Run("image", func(t *testing.T) {
		image := "oci-archive:" + only(t, out, "*.image.tar")
		e := startEngine(t)
		args, browsers, probes := e.documented(image)
		client, url := e.client(), browsers+"/events/chat.room1"
		t.Cleanup(func() { e.run("rm", "--all", "--force", "--volumes", "--time=0") })
		for i := range 2 { // the second one has what the first one has kept
			p := startCommand(t, func(string) *exec.Cmd {
				return e.command(append([]string{args[0], "--rm", "--name=tailwater", "--memory=256m"}, args[1:]...)...)
			})
			if !strings.Contains(p.start, `"container":"256 MiB"`) {
				t.Errorf("the limit of the container was not found:\n%s", p.start)
			}
			response, err := client.Post(url, "text/plain", strings.NewReader("hello"))
			noError(t, err)
			if status, text := answer(t, response); status != http.StatusCreated {
				t.Errorf("%d %s", status, text)
			}
			if response, err = client.Get(url + "?poll=1"); err != nil {
				t.Fatal(err)
			}
			if _, text := answer(t, response); strings.Count(text, `"data":"hello"`) != i+1 {
				t.Errorf("start %d has %s", i, text)
			}
			if status, text := get(t, probes+"/readyz"); status != http.StatusOK {
				t.Errorf("%d %s", status, text)
			}
			process := filepath.Join("/proc", e.run("inspect", "--format={{.State.Pid}}", "tailwater"))
			if is := text(t, func() ([]byte, error) { return os.ReadFile(filepath.Join(process, "status")) }); !strings.Contains(is, "\nUid:\t65532\t65532\t65532\t65532\n") {
				t.Errorf("it runs as another user:\n%s", is)
			}
			if mounts := text(t, func() ([]byte, error) { return os.ReadFile(filepath.Join(process, "mountinfo")) }); !regexp.MustCompile(`(?m)^\S+ \S+ \S+ \S+ / ro,`).MatchString(mounts) {
				t.Errorf("its root can be written to:\n%s", mounts)
			}
			e.run("stop", "--time=60", "tailwater")
			if err := p.cmd.Wait(); err != nil {
				t.Errorf("stopped: %v", err)
			}
		}
	})
}

// run returns what a command says, which must end well.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// only returns the one file that a pattern matches.
func only(t *testing.T, folder, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s matches %q: %v", pattern, files, err)
	}
	return files[0]
}
