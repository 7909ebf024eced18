package load

import (
	"crypto/rand"
	"time"
)

// A record is 34 bytes of text without blanks, quotes or line ends, so that servers pass it on unchanged, even in JSON: a tag, and three
// numbers in hexadecimal.
const (
	tagLen     = 8
	subjectLen = 6
	seqLen     = 8
	timeLen    = 12 // of nanoseconds: 78 hours
	recordLen  = tagLen + subjectLen + seqLen + timeLen
)

// probe is the sequence of messages that only show that a connection works. Measured messages begin with 1.
const probe = 0

// record is the content of a message.
type record struct {
	subject int
	seq     uint32
	at      time.Duration // the time of publishing, since the run began
}

// newTag returns a tag for the records of one run, so that records of an earlier run, which a server may have stored, are not counted.
// Its first byte is rare in event streams, which makes the search fast.
func newTag() []byte { return []byte("~tw" + rand.Text()[:tagLen-3]) }

// padding fills a payload up to its size.
const padding = '.'

// newPayload returns a payload without the numbers.
func newPayload(tag []byte, size int) []byte {
	payload := append(make([]byte, 0, size), tag...)
	for len(payload) < size {
		payload = append(payload, padding)
	}
	return payload
}

// stamp writes the numbers of a record into a payload.
func stamp(payload []byte, rec record) {
	digits := payload[tagLen:recordLen]
	writeHex(digits[:subjectLen], uint64(rec.subject))
	writeHex(digits[subjectLen:subjectLen+seqLen], uint64(rec.seq))
	writeHex(digits[subjectLen+seqLen:], uint64(rec.at))
}

// parse reads the numbers of a record.
func parse(digits []byte) (rec record, ok bool) {
	subject, ok1 := readHex(digits[:subjectLen])
	seq, ok2 := readHex(digits[subjectLen : subjectLen+seqLen])
	at, ok3 := readHex(digits[subjectLen+seqLen : recordLen-tagLen])
	return record{int(subject), uint32(seq), time.Duration(at)}, ok1 && ok2 && ok3
}

const (
	hexDigits      = "0123456789abcdef"
	upperHexDigits = "0123456789ABCDEF" // for sizes of chunks
)

func writeHex(to []byte, value uint64) {
	for i := len(to) - 1; i >= 0; i-- {
		to[i] = hexDigits[value&15]
		value >>= 4
	}
}

// hexValue maps each digit to its value, and other bytes to notHex.
var hexValue = func() (values [256]byte) {
	for i := range values {
		values[i] = notHex
	}
	for i := range len(hexDigits) {
		values[hexDigits[i]] = byte(i)
		values[upperHexDigits[i]] = byte(i)
	}
	return values
}()

const notHex = 0xff

func readHex(digits []byte) (value uint64, ok bool) {
	var all byte
	for _, c := range digits {
		digit := hexValue[c]
		all |= digit
		value = value<<4 | uint64(digit&15)
	}
	return value, all != notHex
}
