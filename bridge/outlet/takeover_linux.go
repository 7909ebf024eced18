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
func (o *Outlet) takeOver(w http.ResponseWriter, r *http.Request) (fd int, ok bool) {
	if o.loops == nil || r.ProtoMajor != 1 {
		return 0, false
	}
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	ours, _ := conn.(*patient) // bytes of TLS cannot be written past it
	if ours == nil {
		return 0, false
	}
	socket, ok := ours.Conn.(*net.TCPConn)
	if !ok {
		return 0, false
	}
	fd, err := duplicate(socket)
	if err != nil {
		o.plainLogs.Do(func() { o.config.Log.Warn("cannot take a connection over; it costs more as it is", "error", err) })
		return 0, false
	}
	if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
		_ = unix.Close(fd)
		return 0, false
	}
	_ = conn.Close() // the duplicate holds the socket open
	return fd, true
}

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
