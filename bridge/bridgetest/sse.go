package bridgetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Event is one dispatched server-sent event (WHATWG HTML 9.2.6).
type Event struct {
	Type string // "message" if the stream has none
	Data string
	ID   string // the last event id after this event
}

// Stream reads an event stream as a browser does, and fails if Tailwater breaks a stricter promise: lines end with LF alone, one blank
// follows each colon, there are only known fields, `id:` is the last line of a frame, and a comment is first. Some parsers treat a block
// without data as an empty message, so such blocks are errors.
type Stream struct {
	lines    *bufio.Reader
	lastID   string
	begun    bool
	Retry    int // milliseconds; the newest value
	Comments int
}

// NewStream reads from r.
func NewStream(r io.Reader) *Stream { return &Stream{lines: bufio.NewReaderSize(r, 64<<10)} }

// ErrBroken means that a stream broke between frames: without the last chunk, or by a reset. Readers built on fetch reconnect after that,
// but not after a clean end.
var ErrBroken = errors.New("the stream has broken")

// Next returns the next event. Between frames, a clean end is io.EOF and any other end ErrBroken. An end inside a frame is
// io.ErrUnexpectedEOF.
func (s *Stream) Next() (Event, error) {
	frame, err := s.frame()
	if err != nil {
		return Event{}, err
	}
	return s.read(frame)
}

// frame returns the lines up to the next empty line, without comments.
func (s *Stream) frame() ([]string, error) {
	var frame []string
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return nil, s.ended(err, line != "" || len(frame) > 0)
		}
		if line = line[:len(line)-1]; line == "" {
			return frame, nil
		}
		if strings.ContainsAny(line, "\r\x00") {
			return nil, fmt.Errorf("the line %q holds CR or NUL", line)
		}
		if !s.begun && line[0] != ':' {
			return nil, fmt.Errorf("the stream begins with %q instead of a comment", line)
		}
		s.begun = true
		if line[0] == ':' {
			s.Comments++
			continue
		}
		frame = append(frame, line)
	}
}

// ended returns the error of an end.
func (s *Stream) ended(err error, isInside bool) error {
	switch {
	case isInside && err == io.EOF:
		return io.ErrUnexpectedEOF
	case isInside || err == io.EOF:
		return err
	default:
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
}

// read parses the fields of a frame.
func (s *Stream) read(frame []string) (event Event, err error) {
	event.Type = "message"
	var data []string
	for i, line := range frame {
		field, value, found := strings.Cut(line, ": ")
		if !found {
			return event, fmt.Errorf("the line %q has no colon and blank", line)
		}
		switch field {
		case "data":
			data = append(data, value)
		case "event":
			event.Type = value
		case "retry":
			if s.Retry, err = strconv.Atoi(value); err != nil {
				return event, fmt.Errorf("retry: %w", err)
			}
		case "id":
			if i != len(frame)-1 || data == nil {
				return event, fmt.Errorf("the id is not the last line of an event: %q", frame)
			}
			s.lastID = value
		default:
			return event, fmt.Errorf("unknown field %q", line)
		}
	}
	if data == nil {
		return event, fmt.Errorf("the block %q has no data", frame)
	}
	event.Data, event.ID = strings.Join(data, "\n"), s.lastID
	return event, nil
}
