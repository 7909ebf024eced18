package outlet

import (
	"bytes"
	"net/http"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/sockets"
)

// takeOver takes a connection from net/http, and passes it to one of the loops. If that has ended, the client is asked to reconnect. It reports
// false, and changes nothing, if that is not possible, or the reader reads a run.
func (o *Outlet) takeOver(w http.ResponseWriter, r *http.Request, reader *bridge.Reader, lifetime bridge.Lifetime) bool {
	if o.loops == nil || r.ProtoMajor != 1 || reader.Framing().Run {
		return false
	}
	taken, ok, err := sockets.TakeOver(w, r)
	if err != nil {
		o.plainLogs.Do(func() {
			o.config.Log.Warn("a connection cannot be moved to an event loop, and uses more memory", "error", err)
		})
	}
	if !ok {
		return false
	}
	chunked := r.ProtoAtLeast(1, 1)
	s := &socket{
		loop: o.loops[taken.FD%len(o.loops)], Taken: taken, reader: reader, owner: somebody, ended: lifetime.Ended,
		first: head(w.Header(), chunked), chunked: chunked, most: leastWrite,
	}
	s.timer.socket = s
	if lifetime.Caller != "" || lifetime.Revoked != nil || !lifetime.Until.IsZero() || lifetime.Address != s.peer().Addr() {
		owner := lifetime
		s.owner = &owner
	}
	if !s.loop.enqueue(s) {
		s.refuse()
	}
	return true
}

// head returns the head of the response. The body has no length. It is chunked, or if the client does not support chunks, ends with the connection
// (RFC 9112, 6.3).
func head(header http.Header, chunked bool) []byte {
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 200 OK\r\n")
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat)) // middleware may have set one
	if chunked {
		header.Set("Transfer-Encoding", "chunked")
	}
	_ = header.Write(&head) // writing to a buffer cannot fail
	head.WriteString("\r\n")
	return head.Bytes()
}
