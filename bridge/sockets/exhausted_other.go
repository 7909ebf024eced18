//go:build !unix

package sockets

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// isExhausted reports whether accept failed because there was no descriptor.
func isExhausted(err error) bool { return errors.Is(err, syscall.EMFILE) }

// comes lets time pass: only Unix can wait for a connection here.
func comes(net.Listener) bool {
	time.Sleep(exhaustedPause)
	return true
}
