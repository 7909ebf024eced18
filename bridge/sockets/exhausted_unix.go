//go:build unix

package sockets

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// isExhausted reports whether accept failed because there was no descriptor, or no memory for a socket.
func isExhausted(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM)
}

// comes waits a moment for a connection, without a descriptor for it. If it cannot know, it reports true.
func comes(l net.Listener) bool {
	n := 0
	err := control(l, func(fd int) {
		n, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(exhaustedPause.Milliseconds()))
	})
	return err != nil || n > 0
}

// control calls do with the descriptor of a connection or a listener.
func control(of any, do func(fd int)) error {
	socket, ok := of.(syscall.Conn)
	if !ok {
		return errors.ErrUnsupported
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { do(int(fd)) })
}
