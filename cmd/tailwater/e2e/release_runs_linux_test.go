package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// What is released for this machine runs: the binary of the archive and of Debian's package, which know their commit, and the image, as its
// user, with nothing around the binary that it could write to but its folder.
func TestReleaseRuns(t *testing.T) {
	onlySoak(t)
	out := t.TempDir()
	root := filepath.Join("..", "..", "..")
	run(t, filepath.Join(root, ".ci", "release"), out, "linux/"+runtime.GOARCH)
	run(t, "sh", "-c", `cd "$0" && sha256sum --quiet -c checksums.txt`, out)
	commit := strings.TrimSpace(run(t, "git", "rev-parse", "HEAD"))

	run(t, "tar", "-C", out, "-xzf", only(t, out, "tailwater_*.tar.gz"))
	unpacked := only(t, out, "tailwater_*/tailwater")
	if version := run(t, unpacked, "--version"); !strings.Contains(version, commit) {
		t.Errorf("the version of the archive's binary is %q, without the commit", version)
	}

	t.Run("deb", func(t *testing.T) {
		folder := t.TempDir()
		run(t, "dpkg-deb", "-x", only(t, out, "*.deb"), folder)
		if version := run(t, filepath.Join(folder, "usr/bin/tailwater"), "--version"); !strings.Contains(version, commit) {
			t.Errorf("the version of the package's binary is %q", version)
		}
		run(t, filepath.Join(folder, "usr/bin/tailwater"), "check", "--env-file="+filepath.Join(folder, "etc/tailwater/tailwater.env"))
		unit := text(t, func() ([]byte, error) { return os.ReadFile(filepath.Join(folder, "lib/systemd/system/tailwater.service")) })
		const installed = "ExecStart=/usr/bin/tailwater\n"
		if !strings.Contains(unit, installed) {
			t.Errorf("the unit starts another binary than that of the package:\n%s", unit)
		}
		unit = writeFile(t, folder, "tailwater.service", strings.Replace(unit, installed, "ExecStart="+folder+installed[len("ExecStart="):], 1))
		run(t, "systemd-analyze", "verify", unit)
		run(t, "systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
	})

	t.Run("image", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("only root may run a binary in a root of its own")
		}
		image := unpackImage(t, only(t, out, "*.image.tar"))
		p := startCommand(t, func(string) *exec.Cmd { return exec.Command("chroot", "--userspec=65532:65532", image, "/usr/bin/tailwater") }, "TAILWATER_EMBED_DIR=/var/lib/tailwater")
		publishTo(t, p.http+"/events/chat.room1", "hello")
		reader, _ := subscribe(t, p.http+"/events/chat.room1?since=all", "")
		reader.expect("message", "hello")
		if files, err := filepath.Glob(filepath.Join(image, "var/lib/tailwater/*")); err != nil || len(files) == 0 {
			t.Errorf("nothing is kept in the image's folder: %v", err)
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

// unpackImage returns a folder with the files of an image.
func unpackImage(t *testing.T, archive string) string {
	t.Helper()
	store, folder := t.TempDir(), t.TempDir()
	buildah := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(run(t, "buildah", append([]string{"--root", filepath.Join(store, "root"), "--runroot", filepath.Join(store, "run"), "--storage-driver", "vfs"}, args...)...))
	}
	lines := strings.Split(buildah("from", "--quiet", "oci-archive:"+archive), "\n")
	container := lines[len(lines)-1]
	t.Cleanup(func() { buildah("rm", "--all") })
	run(t, "cp", "-a", buildah("mount", container)+"/.", folder)
	buildah("umount", container)
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}
