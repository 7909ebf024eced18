//go:build unix

package embed

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

const (
	root      = 0
	writeAll  = 0o002
	writeSome = 0o020
)

func ownerOf(info fs.FileInfo) int {
	if stat, is := info.Sys().(*syscall.Stat_t); is {
		return int(stat.Uid)
	}
	return root
}

// checkOwner returns an error if a file belongs neither to this process's user nor to root. Nothing protects from root.
func checkOwner(path string, info fs.FileInfo) error {
	owner, self := ownerOf(info), os.Geteuid()
	if owner == self || owner == root {
		return nil
	}
	what := path
	if info.Mode()&fs.ModeSymlink != 0 {
		what += ", a symbolic link,"
	}
	return fmt.Errorf("%s belongs to the user %d, who can change what is stored there, but the bridge runs as %d; run it as that user, or, if nobody else has written there, change the owner: chown -hR %[3]d %[1]s",
		what, owner, self)
}

// checkVolume returns an error if others may write into the folder itself. Kubernetes gives a volume with fsGroup to root and a
// group, with the setgid bit. Who else is in that group is the pod's configuration.
func checkVolume(path string, info fs.FileInfo) error {
	isVolume := ownerOf(info) == root && info.Mode()&fs.ModeSetgid != 0
	if mode := info.Mode(); !mode.IsDir() || mode&writeAll == 0 && (mode&writeSome == 0 || isVolume) {
		return nil
	}
	return fmt.Errorf("others may write into %s, and replace what is stored there; forbid it: chmod go-w %[1]s", path)
}

// checkWriters returns an error if all users may write a file below. A group may: Kubernetes gives a volume's content to fsGroup.
func checkWriters(path string, info fs.FileInfo) error {
	if info.Mode()&writeAll == 0 {
		return nil
	}
	return fmt.Errorf("all users may write %s; if nobody else has, forbid it: chmod -R go-w %[1]s", path)
}
