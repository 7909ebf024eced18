package js

import "github.com/nats-io/nats.go"

// A publisher can put any bytes into a message's block of headers. If nats.go cannot decode the block, it delivers the message
// without headers. The headers that a server adds to answer a direct get may then be unreadable: after a blank line, or on a
// publisher's line that has no end. In that case a publisher's line could pass for the server's.

// blockSize returns the wire size of a received message's block of headers, in bytes.
func blockSize(msg *nats.Msg) int {
	return msg.Size() - len(msg.Subject) - len(msg.Reply) - len(msg.Data)
}

// IsBroken reports whether a received message has headers that nats.go could not decode.
func IsBroken(msg *nats.Msg) bool { return msg.Header == nil && blockSize(msg) > 0 }

// leastAppended is the smallest size that a server adds to a block for a direct get: the lines below with values of these sizes,
// without the stream's name.
const leastAppended = len(headerStream+headerSubject+headerSequence+headerTime) + 4*len(": \r\n") + len("s"+"1"+"2006-01-02T15:04:05Z")

// mayHide reports whether a block of that size may contain more than its decoded headers and a blank line: at least as much as a
// server adds. Each header is assumed to be as short as possible.
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

// isGiven reports whether an answer to a direct get is certainly a message of the stream, with the server's own headers at its
// end.
func isGiven(header nats.Header, size int, stream string) bool {
	names := header[headerStream]
	return len(names) > 0 && names[len(names)-1] == stream && len(header[headerSequence]) > 0 && !mayHide(header, size)
}

// isWord reports whether an answer certainly is the server's statement that there is no message, or no further one.
func isWord(header nats.Header, size int) bool {
	return header != nil && len(header[headerSequence]) == 0 && !mayHide(header, size)
}
