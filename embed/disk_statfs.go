//go:build !windows && !openbsd && !netbsd && !wasm && !illumos && !solaris

package embed

import "syscall"

// diskFree returns how many bytes this process may still write to the disk of a folder, as nats-server counts them.
func diskFree(dir string) (uint64, error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return 0, err
	}
	return uint64(disk.Bavail) * uint64(disk.Bsize), nil
}
