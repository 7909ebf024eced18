package bridgetest

import (
	"bufio"
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
// comment comes first.
type Stream struct {
	lines    *bufio.Reader
	lastID   string
	begun    bool
	Retry    int // milliseconds, as last asked for
	Comments int
}

// NewStream reads from r.
func NewStream(r io.Reader) *Stream { return &Stream{lines: bufio.NewReaderSize(r, 64<<10)} }

// Next gives the next event. A stream that ends between frames ends with io.EOF, one that ends inside of a frame with
// io.ErrUnexpectedEOF.
func (s *Stream) Next() (Event, error) {
	for {
		frame, err := s.frame()
		if err != nil {
			return Event{}, err
		}
		event, dispatched, err := s.read(frame)
		if err != nil || dispatched {
			return event, err
		}
	}
}

// frame gives the lines up to the next empty one.
func (s *Stream) frame() ([]string, error) {
	var frame []string
	for {
		line, err := s.lines.ReadString('\n')
		if err == io.EOF && (line != "" || len(frame) > 0) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
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
		frame = append(frame, line)
	}
}

// read takes the fields of a frame; dispatched tells whether it had data.
func (s *Stream) read(frame []string) (event Event, dispatched bool, err error) {
	event.Type = "message"
	var data []string
	for i, line := range frame {
		if line[0] == ':' {
			s.Comments++
			continue
		}
		field, value, found := strings.Cut(line, ": ")
		if !found {
			return event, false, fmt.Errorf("the line %q has no colon and blank", line)
		}
		switch field {
		case "data":
			data = append(data, value)
		case "event":
			event.Type = value
		case "retry":
			if s.Retry, err = strconv.Atoi(value); err != nil {
				return event, false, fmt.Errorf("retry: %w", err)
			}
		case "id":
			if i != len(frame)-1 || data == nil {
				return event, false, fmt.Errorf("the id is not the last line of an event: %q", frame)
			}
			s.lastID = value
		default:
			return event, false, fmt.Errorf("there is no field %q", line)
		}
	}
	event.Data, event.ID = strings.Join(data, "\n"), s.lastID
	return event, data != nil, nil
}
