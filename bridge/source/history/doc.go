// Package history reads the messages of a stream for readers that are behind a feed's memory: by direct gets, or by consumers if
// these are not allowed. With each page it returns the sequence below which the stream's limits have removed messages. From this
// the bridge decides whether a client continues exactly or gets a gap.
package history
