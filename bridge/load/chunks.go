package load

import (
	"bytes"
	"errors"
)

// chunks removes the chunk headers from a body (RFC 9112, section 7.1), wherever it is cut. They could otherwise stand in the middle of
// records.
type chunks struct {
	state chunkState
	rest  uint64 // the size so far, or the rest of the chunk
	digit bool   // the size has at least one digit
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkData
	chunkEnd // the line end after the data
	chunksOver
)

var errChunks = errors.New("the body is not in chunked transfer coding")

// maxChunk keeps the size from wrapping around.
const maxChunk = 1 << 48

// strip returns the body, moved together at the beginning of data.
func (c *chunks) strip(data []byte) (body []byte, err error) {
	body = data[:0]
	for len(data) > 0 && c.state != chunksOver {
		switch c.state {
		case chunkData:
			n := min(uint64(len(data)), c.rest)
			body = append(body, data[:n]...)
			data = data[n:]
			if c.rest -= n; c.rest == 0 {
				c.state = chunkEnd
			}
		case chunkSize:
			if err := c.size(data[0]); err != nil {
				return body, err
			}
			data = data[1:]
		default: // up to the end of the line
			i := bytes.IndexByte(data, '\n')
			if i < 0 {
				return body, nil
			}
			data = data[i+1:]
			c.lineEnded()
		}
	}
	return body, nil
}

// size reads a byte of the line before a chunk.
func (c *chunks) size(b byte) error {
	digit := hexValue[b]
	switch {
	case digit != notHex:
		c.rest, c.digit = c.rest<<4|uint64(digit), true
		if c.rest > maxChunk {
			return errChunks
		}
	case !c.digit:
		return errChunks
	case b == '\n':
		c.lineEnded()
	default:
		c.state = chunkExtension
	}
	return nil
}

func (c *chunks) lineEnded() {
	switch {
	case c.state == chunkEnd:
		*c = chunks{}
	case c.rest == 0:
		c.state = chunksOver
	default:
		c.state = chunkData
	}
}

// ended reports whether the last chunk has arrived.
func (c *chunks) ended() bool { return c.state == chunksOver }
