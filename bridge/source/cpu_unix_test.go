//go:build !windows

package source_test

import (
	"syscall"
	"testing"
	"time"
)

// cpu returns the processor time that this process has used: here, publisher, server and reader.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
