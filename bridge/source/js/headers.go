package js

import "github.com/nats-io/nats.go"

// A publisher can put any bytes into a message's block of headers. nats.go delivers what it cannot decode without headers;
// and what a server appends to a block, to answer a direct get, may stand where nobody decodes it: behind a blank line, or on
// a line of the publisher's that has no end. Then such a line of the publisher's would pass for the server's.

// blockSize returns the size of a received message's block of headers on the wire, in bytes.
func blockSize(msg *nats.Msg) int {
	return msg.Size() - len(msg.Subject) - len(msg.Reply) - len(msg.Data)
}

// IsBroken reports whether a received message has headers that nats.go could not decode.
func IsBroken(msg *nats.Msg) bool { return msg.Header == nil && blockSize(msg) > 0 }

// leastAppended is the least that a server appends to a block for a direct get: the lines below with values of these sizes,
// beside the stream's name.
const leastAppended = len(headerStream+headerSubject+headerSequence+headerTime) + 4*len(": \r\n") + len("s"+"1"+"2006-01-02T15:04:05Z")

// mayHide reports whether a block of that size may hold more than the headers that were decoded of it, and a blank line
// behind them: as much as a server appends. Each header is taken to be as short as it can be written.
func mayHide(header nats.Header, size int) bool {
	least := len("NATS/1.0\n\n")
	for name, values := range header {
		for _, value := range values {
			least += len(value)
			if name != headerStatus && name != headerDescription { // these may stand in the first line
				least += len(name) + len(":\n")
			}
		}
	}
	return size-least >= leastAppended
}

// isGiven reports whether what a direct get is answered with is surely a message of the stream, and its last headers the
// server's own.
func isGiven(header nats.Header, size int, stream string) bool {
	names := header[headerStream]
	return len(names) > 0 && names[len(names)-1] == stream && len(header[headerSequence]) > 0 && !mayHide(header, size)
}

// isWord reports whether it is surely the server's word that there is no message, or no more.
func isWord(header nats.Header, size int) bool {
	return header != nil && len(header[headerSequence]) == 0 && !mayHide(header, size)
}
