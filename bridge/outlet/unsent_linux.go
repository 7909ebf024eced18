package outlet

import (
	"net"

	"golang.org/x/sys/unix"
)

// unsent gives how many bytes the kernel has of a socket that the client has not acknowledged; 0 where it does not say.
func unsent(socket *net.TCPConn) (n int) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0
	}
	// An error means that it is closed.
	_ = raw.Control(func(fd uintptr) { n = unsentOf(int(fd)) })
	return n
}

func unsentOf(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}
