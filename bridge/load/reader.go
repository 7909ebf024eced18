package load

// reader is one connection, independent of how it is read.
type reader struct {
	subject int32
	phase   phase
	stalled bool // it stops reading once it is open
	chunked bool
	reached bool // a probe has arrived

	scanner scanner
	chunks  chunks
	order   order
	head    []byte // of the answer, until it is complete
}

type phase uint8

const (
	opening phase = iota
	open
	over // it has ended, or was never opened
)

// newReaders returns the connections of one loop: every step-th from first on. The stalled ones are last.
func newReaders(plan *Plan, first, step int) []reader {
	var readers []reader
	for i := first; i < plan.Connections+plan.Stalled; i += step {
		subject := i
		if i >= plan.Connections {
			subject = i - plan.Connections
		}
		readers = append(readers, reader{subject: int32(subject % plan.Subjects), stalled: i >= plan.Connections})
	}
	return readers
}
