//go:build !unix

package outlet

import (
	"errors"
	"syscall"
)

// isExhausted tells whether accepting failed because there is no descriptor.
func isExhausted(err error) bool { return errors.Is(err, syscall.EMFILE) }

// comes would wait for a connection; elsewhere than on Unix it only lets time pass.
func (l *listener) comes() bool {
	l.pause()
	return true
}
