package outlet

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tailwater/tailwater/bridge"
)

// takeOver takes a connection from net/http, with the descriptor of its socket, and releases what net/http holds for it. It reports false, and
// changes nothing, if that is not possible, or the reader reads a run.
func (o *Outlet) takeOver(w http.ResponseWriter, r *http.Request, reader *bridge.Reader) (t taken, ok bool) {
	if o.loops == nil || r.ProtoMajor != 1 || reader.Framing().Run {
		return t, false
	}
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	ours, _ := conn.(*stallConn) // bytes of TLS cannot be written past it
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
		o.plainLogs.Do(func() {
			o.config.Log.Warn("a connection cannot be moved to an event loop, and uses more memory", "error", err)
		})
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

// receiveBuffer limits what the kernel buffers of a reading client's input, which is ignored. The kernel doubles the number for its own data.
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

// head returns the head of the response. The body has no length. It is chunked, or if the client does not support chunks, ends with the connection
// (RFC 9112, 6.3).
func head(header http.Header, chunked bool) []byte {
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 200 OK\r\nDate: ")
	head.WriteString(time.Now().UTC().Format(http.TimeFormat))
	head.WriteString("\r\n")
	header.Del("Date")
	if chunked {
		header.Set("Transfer-Encoding", "chunked")
	}
	_ = header.Write(&head) // writing to a buffer cannot fail
	head.WriteString("\r\n")
	return head.Bytes()
}
