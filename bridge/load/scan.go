package load

import "bytes"

// headroom is free space at the beginning of a read buffer, for the end of the data before.
const headroom = recordLen - 1

// scanner finds records in the data of one connection, wherever it is cut. Between reads it keeps only what may be the beginning of a
// record, or of the name of one of Tailwater's events.
type scanner struct {
	rest [headroom]byte
	held uint8
}

// found is the result of a scanner.
type found struct {
	records      []record
	gaps, resets int
}

// scan scans buffer[headroom:]. It overwrites what is before.
func (s *scanner) scan(tag, buffer []byte, found *found) {
	start := headroom - int(s.held)
	copy(buffer[start:], s.rest[:s.held])
	text := buffer[start:]
	for {
		i := bytes.Index(text, tag)
		if i < 0 {
			s.hold(found.events(text))
			return
		}
		found.events(text[:i])
		if len(text)-i < recordLen {
			s.hold(text[i:])
			return
		}
		rec, ok := parse(text[i+tagLen : i+recordLen])
		if !ok {
			text = text[i+tagLen:] // a cut record; another may begin within these bytes
			continue
		}
		found.records = append(found.records, rec)
		text = text[i+recordLen:]
	}
}

// hold keeps the end of a text.
func (s *scanner) hold(text []byte) {
	text = text[max(0, len(text)-headroom):]
	s.held = uint8(copy(s.rest[:], text))
}

// Tailwater's own events are counted, in both of its formats.
var (
	eventPrefix = []byte("tailwater:")
	eventGap    = []byte("gap")
	eventReset  = []byte("reset")
)

// events counts Tailwater's events in a text without records, and returns the text after the last of them.
func (f *found) events(text []byte) []byte {
	for {
		i := bytes.Index(text, eventPrefix)
		if i < 0 {
			return text
		}
		name := text[i+len(eventPrefix):]
		switch {
		case bytes.HasPrefix(name, eventGap):
			f.gaps++
		case bytes.HasPrefix(name, eventReset):
			f.resets++
		case len(name) < len(eventReset):
			return text[i:] // the name may be cut
		}
		text = name
	}
}
