package load

// Internals for tests.

// Record is a record without its time.
type Record struct {
	Subject int
	Seq     uint32
}

// Tag is the tag of the records in these tests.
var Tag = []byte("~twTESTS")

// Payload returns a payload with a record.
func Payload(rec Record, size int) []byte {
	payload := newPayload(Tag, size)
	stamp(payload, record{rec.Subject, rec.Seq, 1})
	return payload
}

// Scanned is what a scanner finds.
type Scanned struct {
	Records      []Record
	Gaps, Resets int
}

// Scan scans a stream that arrives in pieces.
func Scan(pieces ...[]byte) Scanned {
	var s scanner
	var all Scanned
	for _, piece := range pieces {
		var found found
		buffer := append(make([]byte, headroom), piece...)
		s.scan(Tag, buffer, &found)
		for _, rec := range found.records {
			all.Records = append(all.Records, Record{rec.subject, rec.seq})
		}
		all.Gaps += found.gaps
		all.Resets += found.resets
	}
	return all
}

// Unchunk removes the chunk headers from a body that arrives in pieces.
func Unchunk(pieces ...[]byte) (body []byte, ended bool, err error) {
	var c chunks
	for _, piece := range pieces {
		data, err := c.strip(piece)
		body = append(body, data...)
		if err != nil {
			return body, c.ended(), err
		}
	}
	return body, c.ended(), nil
}

// Order returns how sequences are judged, as "next ahead late duplicate", and how many are missing in the end.
func Order(seqs ...uint32) (verdicts []string, missing uint32) {
	var o order
	for _, seq := range seqs {
		is, _ := o.take(seq)
		verdicts = append(verdicts, []string{"next", "ahead", "late", "duplicate"}[is])
	}
	return verdicts, o.missing
}

// ReadHead reads the beginning of an answer; open reports whether an event stream follows.
func ReadHead(got string, over bool) (open bool, body int, err error) {
	answer, err := readHead([]byte(got), over)
	if answer == nil {
		return false, 0, err
	}
	return true, answer.body, err
}

// UsePlainClient makes runs use the client of other systems, until undo is called.
func UsePlainClient() (undo func()) {
	before := chooseClient
	chooseClient = newPlainClient
	return func() { chooseClient = before }
}

// LimitFiles limits the open files of the process, until undo is called.
func LimitFiles(files int) (undo func()) {
	before := openFiles
	openFiles = func(int) int { return files }
	return func() { openFiles = before }
}

// LimitPorts limits the connections from one address, until undo is called.
func LimitPorts(number int) (undo func()) {
	before := perAddress
	perAddress = number
	return func() { perAddress = before }
}

// SpareFiles are the files beside the connections.
const SpareFiles = spareFiles

// Share is the rule for shares of time.
var Share = share
