// Package source brings messages from NATS to the feeds of a bridge, and publishes.
//
// The table knows the account's streams, and so where the messages of a filter come from; it is read again whenever a
// stream is made, changed or deleted. What lies wholly inside one stream is read from there, everything else by
// subscription. A feed may have parts of both kinds. Where the table's answer changes, the feed is moved, and its readers
// are told.
//
//	             ┌ stored ──> tap: one consumer a stream ──────┐
//	table: where?┤                                             ├─> feeds
//	             └ unstored ─> flows: one subscription a filter ┘
//	history: pages of what is older, for readers that are behind
//
// A tap is the one consumer of this process on a stream, however many feeds read from it. It begins at an explicit
// sequence, behind the last message delivered; the consumer's own count and heartbeats prove that nothing is missing, and
// at the least doubt it is made anew. A stream that was made anew under the same name, or set back to an earlier copy, ends
// the tap. Positions are those of the stream: they are the same in every process and after every restart.
//
// A history reads the same stream for those who are behind a feed's memory, by direct gets, or by consumers where there
// are none. With each page it says below which sequence the stream's limits have removed something; from this the bridge
// decides whether a client continues exactly or is told a gap.
//
// Subscriptions deliver at most once. All of them deliver into one channel, and one goroutine hands each message to the
// feeds of its flow. What they lose is told: after a reconnect, and when messages came faster than this process could take
// them, every feed concerned gets a gap before any later message. Their positions count in an epoch of this process's own;
// they are good for a short resume from a feed's memory, and mean nothing to any other process.
//
// Nothing here waits for a feed, so NATS never waits for a browser. And no header of a publisher is taken for a word of
// the server, which is why JetStream is spoken to in its own subjects, and nats.go's client for it is used for its types
// alone.
package source
