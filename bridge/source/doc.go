// Package source brings messages from NATS to the feeds of a bridge, and publishes.
//
// The catalog knows the account's streams, and so where the messages of a filter come from. A filter that lies wholly inside one
// stream is read from there, every other filter by subscription. A feed may have parts of both kinds. If the catalog's answer changes, the
// feed ends, and its readers open another one.
//
//	               ┌ stored ──> tap: one consumer a stream ──────┐
//	catalog: where?┤                                             ├─> feeds
//	               └ unstored ─> flows: one subscription a filter ┘
//	history: pages of older messages, for readers that are behind
//
// The control loop (control.go) places feeds and starts them, and acts on what becomes of the connection to NATS.
//
// A tap is the one consumer of this process on a stream, however many feeds read from it. It begins at an explicit
// sequence, behind the last message delivered. The consumer's own count and heartbeats prove that nothing is missing; at
// the least doubt it is made anew. A stream that was replaced under the same name, or restored from a backup, ends
// the tap. Positions are those of the stream: they are the same in every process and after every restart.
//
// Subscriptions deliver at most once. All of them deliver into one channel, and one goroutine hands each message to the
// feeds of its flow. After a reconnect, and if messages came faster than this process could take
// them, every feed concerned gets a gap before any later message. The positions of such messages count in an epoch of this process's own:
// they serve a short resume from a feed's memory, and mean nothing to any other process.
//
// Nothing here waits for a feed, so NATS never waits for a browser. No header of a publisher is taken for a word of
// the server: JetStream is spoken to in its own subjects (package js), and nats.go's client for it is used for its types
// alone.
package source
