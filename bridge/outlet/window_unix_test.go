//go:build !windows

package outlet_test

import (
	"errors"
	"net"
	"syscall"
)

// smallWindow dials with a small receive buffer, and segments as on a network: loopback's are larger than the buffer, and
// between the two the kernel would let a client that reads wait for seconds. Both must be known before the connection is
// made.
var smallWindow = net.Dialer{Control: func(_, _ string, socket syscall.RawConn) (err error) {
	controlErr := socket.Control(func(fd uintptr) {
		err = errors.Join(
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<10),
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1400),
		)
	})
	return errors.Join(controlErr, err)
}}
