package e2e

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is a client of HTTP/2 that sends whatever it is told to, and reads until its connection ends.
type frames struct {
	conn    net.Conn
	reading sync.WaitGroup

	writing sync.Mutex // may take long, where the server does not read
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	next    uint32
	isMute  bool // it does nothing for the server

	mu      sync.Mutex
	streams map[uint32]*stream
	goAway  error // what the server has said when it wanted no more requests
	ended   error // why nothing more comes, once that is so
}

// stream is a request and what has come of it so far.
type stream struct {
	took, ended func() // are called when there is more of the body, and once, when nothing more comes
	status      int
	header      http.Header
	body        []byte
	isReset     bool
}

// dialFrames connects over TLS, as a browser does.
func (a *issuer) dialFrames(t *testing.T, address net.Addr) *frames {
	t.Helper()
	f := newFrames(t, a.dialTLS(t, address))
	f.begin(t)
	return f
}

func (a *issuer) dialTLS(t *testing.T, address net.Addr) net.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", address.String(), &tls.Config{RootCAs: a.roots, NextProtos: []string{"h2"}})
	noError(t, err)
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	return conn
}

// newFrames returns a client on a connection, which the test's end closes.
func newFrames(t *testing.T, conn net.Conn) *frames {
	t.Helper()
	f := &frames{conn: conn, framer: http2.NewFramer(conn, conn), next: 1, streams: map[uint32]*stream{}}
	f.encoder = hpack.NewEncoder(&f.block)
	f.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	t.Cleanup(f.close)
	return f
}

// begin says what every client says first.
func (f *frames) begin(t *testing.T) {
	t.Helper()
	err := f.raw(func(framer *http2.Framer) error {
		_, err := f.conn.Write([]byte(http2.ClientPreface))
		return errors.Join(err, framer.WriteSettings())
	})
	noError(t, err)
	f.reading.Go(f.read) // not before: it answers the server's settings
}

func (f *frames) close() {
	f.conn.Close()
	f.reading.Wait()
}

// why returns the error with which the connection has ended; nil while it has not.
func (f *frames) why() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

// read takes what the server sends until there is no more.
func (f *frames) read() {
	for {
		frame, err := f.framer.ReadFrame()
		if err != nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.ended = errors.Join(f.goAway, err)
			for id := range f.streams {
				f.end(id)
			}
			return
		}
		if !f.isMute {
			f.answer(frame)
		}
		f.take(frame)
	}
}

// answer does what a client has to do, so that the server goes on.
func (f *frames) answer(frame http2.Frame) {
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			_ = f.raw(func(framer *http2.Framer) error { return framer.WriteSettingsAck() })
		}
	case *http2.PingFrame:
		if !frame.IsAck() {
			_ = f.raw(func(framer *http2.Framer) error { return framer.WritePing(true, frame.Data) })
		}
	case *http2.DataFrame:
		if n := uint32(len(frame.Data())); n > 0 {
			_ = f.raw(func(framer *http2.Framer) error {
				return errors.Join(framer.WriteWindowUpdate(0, n), framer.WriteWindowUpdate(frame.StreamID, n))
			})
		}
	}
}

func (f *frames) take(frame http2.Frame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := frame.Header().StreamID
	s := f.streams[id]
	switch frame := frame.(type) {
	case *http2.GoAwayFrame:
		f.goAway = fmt.Errorf("the server says %v: %s", frame.ErrCode, frame.DebugData())
		if frame.ErrCode != http2.ErrCodeNo {
			f.conn.Close() // nothing more is said, but the server waits for a second
		}
	case *http2.MetaHeadersFrame:
		if s != nil {
			s.headers(frame)
		}
	case *http2.DataFrame:
		if s != nil {
			s.body = append(s.body, frame.Data()...)
			s.took()
		}
	case *http2.RSTStreamFrame:
		if s != nil {
			s.isReset = true
			f.end(id)
		}
	}
	if s != nil && frame.Header().Flags.Has(http2.FlagDataEndStream) && frame.Header().Type <= http2.FrameHeaders {
		f.end(id)
	}
	if f.goAway != nil && len(f.streams) == 0 {
		f.conn.Close() // as clients do, for whom the server waits
	}
}

func (f *frames) end(id uint32) {
	f.streams[id].ended()
	delete(f.streams, id)
}

func (s *stream) headers(frame *http2.MetaHeadersFrame) {
	s.header = http.Header{}
	for _, field := range frame.Fields {
		if field.Name == ":status" {
			s.status, _ = strconv.Atoi(field.Value)
		}
		s.header.Add(field.Name, field.Value)
	}
}

// raw writes what may be no request. The error is of a connection that has ended.
func (f *frames) raw(write func(*http2.Framer) error) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	return write(f.framer)
}

// send sends a request. Neither the names nor the values of its fields are looked at. It gives the error of the connection.
func (f *frames) send(s *stream, fields [][2]string, body string) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	f.block.Reset()
	for _, field := range fields {
		_ = f.encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // into a buffer
	}
	return f.write(s, f.block.Bytes(), body)
}

// sendBlock sends a request whose fields are encoded, as the first of a connection.
func (f *frames) sendBlock(s *stream, block []byte) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	return f.write(s, block, "")
}

// write writes a request, its head in as many frames as that needs.
func (f *frames) write(s *stream, block []byte, body string) error {
	const most = 16 << 10
	id, first := f.next, block[:min(len(block), most)]
	f.next += 2
	if err := f.open(id, s); err != nil {
		return err
	}
	err := f.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndHeaders: len(first) == len(block), EndStream: body == ""})
	for block = block[len(first):]; len(block) > 0 && err == nil; {
		fragment := block[:min(len(block), most)]
		block = block[len(fragment):]
		err = f.framer.WriteContinuation(id, len(block) == 0, fragment)
	}
	if body != "" && err == nil {
		err = f.framer.WriteData(id, true, []byte(body))
	}
	return err
}

// open grants a stream all of its data.
func (f *frames) open(id uint32, s *stream) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended != nil {
		s.ended()
		return f.ended
	}
	f.streams[id] = s
	return nil
}
