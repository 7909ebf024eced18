package sockets

// What sockets need from the kernel.

import (
	"net"

	"golang.org/x/sys/unix"
)

// largestSegment limits the segments of a listener's connections. Segments of loopback are larger than the send buffer. Each would wait for an
// acknowledgement that the other side delays: large frames reached a proxy on the same machine at 2 MB/s, instead of hundreds. Segments on
// networks are smaller anyway.
const largestSegment = 16 << 10

// limitSegments sets that limit for a listener, if it is a TCP listener.
func limitSegments(listener net.Listener) {
	socket, ok := listener.(*net.TCPListener)
	if !ok {
		return
	}
	if raw, err := socket.SyscallConn(); err == nil {
		// An error costs only speed.
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, largestSegment) })
	}
}

// unsent returns how many bytes of a socket the client has not acknowledged; 0 if the kernel does not say.
func unsent(socket *net.TCPConn) int { return queued(socket, unix.SIOCOUTQ) }

// unread returns how many bytes of a client nobody has read; 0 if the kernel does not say.
func unread(socket *net.TCPConn) int { return queued(socket, unix.SIOCINQ) }

func queued(socket *net.TCPConn, queue uint) (n int) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0
	}
	// An error means that the socket is closed.
	_ = raw.Control(func(fd uintptr) { n = queuedOf(int(fd), queue) })
	return n
}

func queuedOf(fd int, queue uint) int {
	n, err := unix.IoctlGetInt(fd, queue)
	if err != nil {
		return 0
	}
	return n
}
