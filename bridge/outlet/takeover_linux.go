package outlet

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sys/unix"
)

// takeOver takes a connection from net/http, with the descriptor of its socket: what net/http holds for it is let go. It
// reports false where it cannot, and has changed nothing then.
func (o *Outlet) takeOver(w http.ResponseWriter, r *http.Request) (t taken, ok bool) {
	if o.loops == nil || r.ProtoMajor != 1 {
		return t, false
	}
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	ours, _ := conn.(*patient) // bytes of TLS cannot be written past it
	if ours == nil {
		return t, false
	}
	socket, ok := ours.Conn.(*net.TCPConn)
	if !ok {
		return t, false
	}
	fd, err := duplicate(socket)
	if errors.Is(err, net.ErrClosed) {
		return t, false
	}
	if err != nil {
		o.plainLogs.Do(func() { o.config.Log.Warn("cannot take a connection over; it costs more as it is", "error", err) })
		return t, false
	}
	if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
		_ = unix.Close(fd)
		return t, false
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	ours.place.handOver()
	_ = conn.Close() // the duplicate holds the socket open
	return taken{fd, ours.place}, true
}

// taken is a socket that was taken over: its descriptor, and its place.
type taken struct {
	fd    int
	place *place
}

// receiveBuffer bounds what the kernel holds of what a client sends that is only to read; it means nothing here. The kernel
// doubles the figure for its own bookkeeping.
const receiveBuffer = 4 << 10

func duplicate(socket *net.TCPConn) (fd int, err error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("duplicate a descriptor: %w", err)
	}
	var failed error
	err = raw.Control(func(original uintptr) {
		fd, failed = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err := errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("duplicate a descriptor: %w", err)
	}
	return fd, nil
}

// head returns the head of the response. The body has no length. It is chunked, or where the client does not know chunks, the end
// of the connection ends it (RFC 9112, 6.3).
func head(header http.Header, chunked bool) []byte {
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 200 OK\r\nDate: ")
	head.WriteString(time.Now().UTC().Format(http.TimeFormat))
	head.WriteString("\r\n")
	header.Del("Date")
	if chunked {
		header.Set("Transfer-Encoding", "chunked")
	}
	_ = header.Write(&head) // a buffer takes everything
	head.WriteString("\r\n")
	return head.Bytes()
}
