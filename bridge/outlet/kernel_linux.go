package outlet

// What the kernel is told of sockets, and asked about them.

import (
	"net"

	"golang.org/x/sys/unix"
)

// largestSegment bounds what a listener's connections send at a time. Loopback's segments are larger than the send buffer, and
// then each waits for an acknowledgement that the other side delays: large frames went to a proxy on the same machine at
// 2 MB a second, instead of hundreds. On networks segments are smaller anyway.
const largestSegment = 16 << 10

// limitSegments sets that for a listener, if it is one of TCP.
func limitSegments(listener net.Listener) {
	socket, ok := listener.(*net.TCPListener)
	if !ok {
		return
	}
	if raw, err := socket.SyscallConn(); err == nil {
		// Without it everything works as well, but for the speed.
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, largestSegment) })
	}
}

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
