//go:build unix

package load

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// raiseFiles raises the limit of open files as far as allowed, and returns it.
func raiseFiles(wanted int) int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return wanted // opening connections will show it
	}
	raised := limit
	raised.Cur, raised.Max = max(limit.Cur, uint64(wanted)), max(limit.Max, uint64(wanted))
	// Only privileged processes can raise the hard limit.
	for _, try := range []unix.Rlimit{raised, {Cur: limit.Max, Max: limit.Max}} {
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &try) == nil {
			limit = try
			break
		}
	}
	return int(min(limit.Cur, 1<<30))
}

func isFileLimit(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM)
}

func isPortLimit(err error) bool {
	return errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EADDRINUSE)
}

// ownCPU returns the processor time of this process.
func ownCPU() time.Duration {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
