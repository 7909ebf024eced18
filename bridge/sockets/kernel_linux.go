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

// limitSegments sets that limit for a listener, if it is a TCP listener. An error costs only speed.
func limitSegments(listener net.Listener) {
	_ = control(listener, func(fd int) { _ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, largestSegment) })
}

// unsent returns how many bytes of a connection the client has not acknowledged; 0 if the kernel does not say.
func unsent(conn net.Conn) int { return queued(conn, unix.SIOCOUTQ) }

// unread returns how many bytes of a client nobody has read; 0 if the kernel does not say.
func unread(conn net.Conn) int { return queued(conn, unix.SIOCINQ) }

func queued(conn net.Conn, queue uint) (n int) {
	_ = control(conn, func(fd int) { n = queuedOf(fd, queue) }) // an error means that it has no descriptor, or none any more
	return n
}

func queuedOf(fd int, queue uint) int {
	n, err := unix.IoctlGetInt(fd, queue)
	if err != nil {
		return 0
	}
	return n
}
