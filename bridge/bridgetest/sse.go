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
	Type string // "message" where the stream named none
	Data string
	ID   string // the last event id as it stands after this event
}

// Stream reads an event stream as a browser does, and fails where Tailwater promises more than browsers need: lines end
// with LF alone, one blank follows each colon, there are only known fields, `id:` is the last line of a frame, and a
// comment comes first. Some parsers take a block without data for an empty message, so there is none.
type Stream struct {
	lines    *bufio.Reader
	lastID   string
	begun    bool
	Retry    int // milliseconds, as last asked for
	Comments int
}

// NewStream reads from r.
func NewStream(r io.Reader) *Stream { return &Stream{lines: bufio.NewReaderSize(r, 64<<10)} }

// ErrBroken is how a stream ends that breaks between frames: without the last chunk, or reset. Readers built on fetch come back
// from that, and not from a clean end.
var ErrBroken = errors.New("the stream has broken")

// Next gives the next event. A stream that ends between frames ends with io.EOF where its end is clean, else with ErrBroken; one
// that ends inside of a frame with io.ErrUnexpectedEOF.
func (s *Stream) Next() (Event, error) {
	frame, err := s.frame()
	if err != nil {
		return Event{}, err
	}
	return s.read(frame)
}

// frame gives the lines up to the next empty one, without comments.
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

// ended tells how a stream has ended.
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

// read takes the fields of a frame.
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
			return event, fmt.Errorf("there is no field %q", line)
		}
	}
	if data == nil {
		return event, fmt.Errorf("the block %q has no data", frame)
	}
	event.Data, event.ID = strings.Join(data, "\n"), s.lastID
	return event, nil
}
