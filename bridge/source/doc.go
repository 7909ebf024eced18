// Package source delivers messages from NATS to the feeds of a bridge, and publishes.
//
// The catalog knows the account's streams, and so the origin of each filter's messages. A filter that lies completely inside one
// stream is read from there, every other filter by subscription. A feed may have parts of both kinds. If the catalog's answer
// changes, the feed ends, and its readers open another one.
//
//	               ┌ stored ──> tap: one consumer a stream ──────┐
//	catalog: where?┤                                             ├─> feeds
//	               └ unstored ─> flows: one subscription a filter ┘
//	history: pages of older messages, for readers that are behind
//
// The control loop (control.go) places feeds and starts them, and acts on events of the connection to NATS.
//
// A tap is the one consumer of this process on a stream, however many feeds read from it. It begins at an explicit sequence, after
// the last delivered message. The consumer's own count and heartbeats prove that nothing is missing; at any doubt it is made again.
// If the stream was replaced under the same name, or restored from a backup, the tap ends. Positions are those of the stream: they
// are the same in every process and after every restart.
//
// Subscriptions deliver at most once. All of them deliver into one channel, and one goroutine passes each message to the feeds of
// its flow. After a reconnect, or if messages arrived too fast for this process, every affected feed gets a gap before any later
// message. The positions of such messages count in an epoch of this process: they serve a short resume from a feed's memory, and
// mean nothing to other processes.
//
// Nothing here waits for a feed, so NATS never waits for a browser. No header of a publisher is mistaken for the server's:
// JetStream is used on its own subjects (package js), and nats.go's client for it only for its types.
package source
