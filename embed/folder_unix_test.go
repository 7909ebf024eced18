//go:build unix

package embed_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A folder that another user has prepared is refused, by the start and by check, with advice.
func TestFolderOfAnother(t *testing.T) {
	const another = 65533 // a user, and a group
	chown := func(path string) error { return os.Lchown(path, another, another) }
	for _, test := range []struct {
		name    string
		isRoot  bool                   // only root can prepare it
		prepare func(dir string) error // dir is there
		wants   []string
	}{
		{"foreign", true, chown, []string{"belongs to the user 65533", "chown"}},
		{"a link of another", true, func(dir string) error { return errorsOf(os.Rename(dir, dir+"2"), os.Symlink(dir+"2", dir), chown(dir)) }, []string{"symbolic link", "65533"}},
		{"a link into a foreign one", true, func(dir string) error {
			return errorsOf(os.Rename(dir, dir+"2"), chown(dir+"2"), os.Symlink(dir+"2", dir))
		}, []string{"belongs to the user 65533", "chown"}},
		{"written by all", false, func(dir string) error { return os.Chmod(dir, 0o777) }, []string{"chmod go-w"}},
		{"written by all, sticky", false, func(dir string) error { return os.Chmod(dir, 0o777|os.ModeSticky) }, []string{"chmod go-w"}},
		{"written by a group", false, func(dir string) error { return os.Chmod(dir, 0o770) }, []string{"chmod go-w"}},
		{"JetStream's folder is a link", false, func(dir string) error { return os.Symlink(t.TempDir(), filepath.Join(dir, "jetstream")) }, []string{"jetstream", "symbolic link"}},
		{"JetStream's folder is foreign", true, func(dir string) error {
			return errorsOf(os.Mkdir(filepath.Join(dir, "jetstream"), 0o755), chown(filepath.Join(dir, "jetstream")))
		}, []string{"jetstream", "65533"}},
		{"a file of a stream is foreign", true, func(dir string) error {
			below := filepath.Join(dir, "jetstream", "$G", "streams", "A")
			return errorsOf(os.MkdirAll(below, 0o700), os.WriteFile(filepath.Join(below, "meta.inf"), nil, 0o600), chown(filepath.Join(below, "meta.inf")))
		}, []string{"meta.inf", "65533"}},
		{"a file of a stream is a link", false, func(dir string) error {
			below := filepath.Join(dir, "jetstream", "$G", "streams", "A")
			return errorsOf(os.MkdirAll(below, 0o700), os.Symlink("/etc/passwd", filepath.Join(below, "meta.inf")))
		}, []string{"meta.inf", "symbolic link"}},
		{"written by all below", false, func(dir string) error {
			below := filepath.Join(dir, "jetstream", "$G")
			return errorsOf(os.MkdirAll(below, 0o700), os.Chmod(below, 0o777))
		}, []string{"$G", "chmod -R go-w"}},
		{"the lock is a link", false, func(dir string) error {
			return os.Symlink(filepath.Join(t.TempDir(), "x"), filepath.Join(dir, "tailwater.lock"))
		}, []string{"tailwater.lock", "symbolic link"}},
		{"the inventory's next is a link", false, func(dir string) error {
			return os.Symlink(filepath.Join(t.TempDir(), "x"), filepath.Join(dir, "tailwater-streams.json.new"))
		}, []string{"tailwater-streams.json.new", "symbolic link"}},
		{"the copy of the streams is a link", false, func(dir string) error {
			return os.Symlink(t.TempDir(), filepath.Join(dir, "tailwater-kept"))
		}, []string{"tailwater-kept", "symbolic link"}},
		{"the folder of the health check is a link", false, func(dir string) error {
			return os.Symlink(t.TempDir(), filepath.Join(dir, "tailwater-probe"))
		}, []string{"tailwater-probe", "symbolic link"}},
		{"a credential is foreign", true, func(dir string) error {
			path := filepath.Join(dir, "tailwater-admin.json")
			return errorsOf(os.WriteFile(path, []byte("{}"), 0o600), chown(path))
		}, []string{"tailwater-admin.json", "65533"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.isRoot && os.Getuid() != 0 {
				t.Skip("only root gives files away")
			}
			config := usual(t)
			if err := errorsOf(os.Mkdir(dirOf(config), 0o700), test.prepare(dirOf(config))); err != nil {
				t.Fatal(err)
			}
			refused(t, config, append(test.wants, "TAILWATER_EMBED_DIR")...)
			if err := config.CheckFolder(); err == nil {
				t.Error("check finds nothing wrong with it")
			}
		})
	}
}

// Folders as services, containers and people prepare them are accepted.
func TestFolderOfOnesOwn(t *testing.T) {
	for name, prepare := range map[string]func(dir string) error{
		"absent":                        func(dir string) error { return os.Remove(dir) },
		"read by all":                   func(dir string) error { return os.Chmod(dir, 0o755) },
		"a link of one's own":           func(dir string) error { return errorsOf(os.Rename(dir, dir+"2"), os.Symlink(dir+"2", dir)) }, // StateDirectory= with DynamicUser=
		"a file system's own folder":    func(dir string) error { return errorsOf(os.Mkdir(filepath.Join(dir, "lost+found"), 0o700)) },
		"files of others that mean nil": func(dir string) error { return os.Symlink("/", filepath.Join(dir, "elsewhere")) },
		"below a folder of everybody":   func(dir string) error { return os.Chmod(filepath.Dir(dir), 0o777) },
		"a volume with fsGroup": func(dir string) error { // as Kubernetes leaves it
			if os.Getuid() != 0 {
				return nil
			}
			below := filepath.Join(dir, "jetstream")
			return errorsOf(os.Mkdir(below, 0o700), os.Lchown(dir, 0, 65533), os.Lchown(below, 0, 65533), os.Chmod(dir, 0o770|os.ModeSetgid), os.Chmod(below, 0o770|os.ModeSetgid))
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := usual(t)
			if err := errorsOf(os.Mkdir(dirOf(config), 0o700), prepare(dirOf(config))); err != nil {
				t.Fatal(err)
			}
			if err := config.CheckFolder(); err != nil {
				t.Error(err)
			}
			stop(t, start(t, config))
			stop(t, start(t, config)) // and again, on what is there now
		})
	}
}

// Only the user of the bridge can read the credentials: when they are made, and after a start if others could read them meanwhile.
func TestOthersCannotReadCredentials(t *testing.T) {
	config := guarded(usual(t))
	config.Listen = set(fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(t))) // so that a second start finds the same contexts
	for range 2 {
		server := start(t, config)
		for _, path := range []string{server.PublisherContext(), server.AdminContext()} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", path, info.Mode(), err)
			}
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		stop(t, server)
	}
}

// errorsOf returns the first error of steps done one after another.
func errorsOf(done ...error) error {
	for _, err := range done {
		if err != nil {
			return err
		}
	}
	return nil
}
