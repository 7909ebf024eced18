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

// Client reads events as an EventSource does, over a socket of its own, so that it can do to it what networks and people
// do. It notes all in its log.
type Client struct {
	Log  *Log
	Path string           // and the query
	Node func() string    // gives host:port of the node to connect to next
	Cut  func() Cut       // asked at each connection; nil: the client never cuts any
	Slow *Slow            // nil: it reads as fast as it can
	Done func(Event) bool // called with each event; true ends the client
	// Forget keeps events out of the log, for floods that would not fit in memory: Done checks them instead.
	Forget bool

	resumes atomic.Int64
	lastID  string
}

// Cut says when and how a client leaves a connection.
type Cut struct {
	Bytes  int  // after so many, wherever in a frame that is; 0: not for that
	Events int  // after so many; 0: not for that
	Reset  bool // with RST instead of FIN
}

// Slow says how a client reads that is slow and never stops: so many bytes each time.
type Slow struct {
	Bytes  int
	Every  time.Duration
	Buffer int // of its socket
}

// Resumes counts the connections that brought an id and got their first event.
func (c *Client) Resumes() int { return int(c.resumes.Load()) }

// again is how long a client waits that got nothing.
const again = 20 * time.Millisecond

// Run reads until Done says so, on as many connections as it takes, or until ctx ends.
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

// connection reads from one connection until it ends, and tells how many events came.
func (c *Client) connection(ctx context.Context) (seen int, done bool) {
	node := c.Node()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", node)
	if err != nil {
		return 0, false // a node that is down is no event in a client's life
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
		c.lastID = event.ID
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

// request asks for the events.
func (c *Client) request(socket *socket, node string) (*Stream, error) {
	position := ""
	if c.lastID != "" {
		position = "Last-Event-ID: " + c.lastID + "\r\n"
	}
	if _, err := fmt.Fprintf(socket, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n%s\r\n", c.Path, node, position); err != nil {
		return nil, err
	}
	// net/http takes the end of a header that was cut for a line of it.
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

// isEnd tells the ends of connections that clients must live with.
func isEnd(err error) bool {
	for _, end := range []error{errCut, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, os.ErrDeadlineExceeded} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// socket is a client's, and does what its cut says.
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

// leave closes the socket. Without its FIN first, what was not read would make a RST of it.
func (s *socket) leave() {
	if s.cut.Reset {
		_ = s.SetLinger(0)
	} else {
		_ = s.CloseWrite()
	}
	_ = s.Close()
}
