package sockets

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"golang.org/x/sys/unix"
)

// Taken is a socket that was taken over. It belongs to one goroutine.
type Taken struct {
	FD    int
	place *place
	Progress
}

// TakeOver takes a connection from net/http, with the descriptor of its socket, and releases what net/http holds for it. It reports false, and
// changes nothing, if that is not possible: if the connection is not TCP, or not from Listen, or over TLS, past which nothing can be written.
// The error says why a connection stays that could have been taken.
func TakeOver(w http.ResponseWriter, r *http.Request) (t Taken, ok bool, _ error) {
	conn, _ := r.Context().Value(connKey{}).(*Conn)
	if conn == nil {
		return t, false, nil
	}
	if _, isTCP := conn.Conn.(*net.TCPConn); !isTCP {
		return t, false, nil
	}
	fd, err := duplicate(conn.Conn)
	if errors.Is(err, net.ErrClosed) {
		return t, false, nil
	}
	if err != nil {
		return t, false, err
	}
	if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
		_ = unix.Close(fd)
		return t, false, nil
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	conn.place.handOver()
	_ = conn.closeDescriptor() // the duplicate holds the socket open
	t = Taken{FD: fd, place: conn.place}
	t.Sent = uint64(t.Unsent()) // of earlier answers on the connection
	return t, true, nil
}

// Unsent returns how many bytes the client has not acknowledged; 0 if the kernel does not say.
func (t *Taken) Unsent() int { return queuedOf(t.FD, unix.SIOCOUTQ) }

// Close closes the socket, and frees its place.
func (t *Taken) Close() {
	_ = unix.Close(t.FD)
	t.place.close()
}

// receiveBuffer limits what the kernel buffers of a reading client's input, which is ignored. The kernel doubles the number for its own data.
const receiveBuffer = 4 << 10

func duplicate(socket net.Conn) (fd int, err error) {
	var failed error
	err = control(socket, func(original int) {
		fd, failed = unix.FcntlInt(uintptr(original), unix.F_DUPFD_CLOEXEC, 0)
	})
	if err := errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("duplicate a descriptor: %w", err)
	}
	return fd, nil
}
