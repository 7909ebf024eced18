//go:build !unix

package sockets

import (
	"errors"
	"syscall"
)

// isExhausted reports whether accept failed because there was no descriptor.
func isExhausted(err error) bool { return errors.Is(err, syscall.EMFILE) }

// comes lets time pass: only Unix can wait for a connection here.
func (l *listener) comes() bool {
	l.pause()
	return true
}
