//go:build unix

package node

import (
	"math"

	"golang.org/x/sys/unix"
)

// Descriptors returns how many file descriptors this process may have. Go has raised the limit already.
func Descriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt32 // accept fails when the limit is reached
	}
	return int(min(uint64(limit.Cur), math.MaxInt32))
}
