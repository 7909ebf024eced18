package bridgetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Client reads events as an EventSource does, over its own socket, so that it can behave as badly as networks and people do. It logs
// everything.
type Client struct {
	Log  *Log
	Path string           // with the query
	Node func() string    // returns host:port of the next node to connect to
	Cut  func() Cut       // called at each connection; nil if the client never cuts
	Slow *Slow            // nil to read as fast as possible
	Done func(Event) bool // called with each event; true ends the client
	// Forget keeps events out of the log, for floods that would not fit in memory. Then Done checks them.
	Forget bool

	resumes atomic.Int64
	lastID  string
}

// Cut says when and how a client leaves a connection.
type Cut struct {
	Bytes  int  // after so many bytes, anywhere in a frame; 0 for no such cut
	Events int  // after so many events; 0 for no such cut
	Reset  bool // with RST instead of FIN
}

// Slow says how slowly a client reads without ever stopping: so many bytes at a time.
type Slow struct {
	Bytes  int
	Every  time.Duration
	Buffer int // of the socket
}

// Resumes returns how many connections sent an id and received an event.
func (c *Client) Resumes() int { return int(c.resumes.Load()) }

// again is how long a client waits after a failed connection.
const again = 20 * time.Millisecond

// Run reads until Done returns true, on as many connections as that takes, or until ctx ends.
func (c *Client) Run(ctx context.Context) error {
	for {
		seen, done := c.connection(ctx)
		switch {
		case done:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", c.Log.Name, context.Cause(ctx))
		case seen > 0:
			continue
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

// connection reads one connection until it ends, and returns how many events arrived.
func (c *Client) connection(ctx context.Context) (seen int, done bool) {
	node := c.Node()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", node)
	if err != nil {
		return 0, false // the client ignores a node that is down
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	socket := &socket{TCPConn: conn.(*net.TCPConn), slow: c.Slow}
	if c.Cut != nil {
		socket.cut = c.Cut()
	}
	defer socket.leave()
	c.Log.Connected(node, c.lastID)
	stream, err := c.request(socket, node)
	for err == nil {
		var event Event
		if event, err = stream.Next(); err != nil {
			break
		}
		if !c.Forget {
			c.Log.Saw(event)
		}
		if seen++; seen == 1 && c.lastID != "" {
			c.resumes.Add(1)
		}
		if event.ID != "" { // the answer of a bridge that stops has none
			c.lastID = event.ID
		}
		if c.Done(event) {
			return seen, true
		}
		if seen == socket.cut.Events {
			err = errCut
		}
	}
	if isEnd(err) {
		c.Log.Ended(err.Error())
	} else {
		c.Log.Broke(err.Error())
	}
	return seen, false
}

// request sends the request and returns the stream.
func (c *Client) request(socket *socket, node string) (*Stream, error) {
	position := ""
	if c.lastID != "" {
		position = "Last-Event-ID: " + c.lastID + "\r\n"
	}
	if _, err := fmt.Fprintf(socket, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n%s\r\n", c.Path, node, position); err != nil {
		return nil, err
	}
	// net/http mistakes the end of a cut header for one of its lines.
	answer, header := bufio.NewReader(socket), ""
	for !strings.HasSuffix(header, "\r\n\r\n") {
		line, err := answer.ReadString('\n')
		if err != nil {
			return nil, err
		}
		header += line
	}
	response, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader(header), answer)), nil)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return nil, fmt.Errorf("the answer %s ends an EventSource for good: %s", response.Status, text)
	}
	return NewStream(response.Body), nil
}

var errCut = errors.New("the client leaves")

// isEnd reports whether a connection has ended in a way that clients must tolerate.
func isEnd(err error) bool {
	for _, end := range []error{errCut, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, os.ErrDeadlineExceeded} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// socket is a client's socket, which follows its cut.
type socket struct {
	*net.TCPConn
	cut  Cut
	slow *Slow
	read int
}

func (s *socket) Read(p []byte) (int, error) {
	if s.slow != nil {
		if s.read == 0 {
			_ = s.SetReadBuffer(s.slow.Buffer)
		}
		time.Sleep(s.slow.Every)
		p = p[:min(len(p), s.slow.Bytes)]
	}
	if s.cut.Bytes > 0 {
		if s.read == s.cut.Bytes {
			return 0, errCut
		}
		p = p[:min(len(p), s.cut.Bytes-s.read)]
	}
	n, err := s.TCPConn.Read(p)
	s.read += n
	return n, err
}

// leave closes the socket. Without shutting down writes first, unread data would make the close a reset.
func (s *socket) leave() {
	if s.cut.Reset {
		_ = s.SetLinger(0)
	} else {
		_ = s.CloseWrite()
	}
	_ = s.Close()
}
