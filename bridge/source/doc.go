// Package source brings messages from NATS to the feeds of a bridge, and publishes.
//
// Each subject that some feed reads has one core-NATS subscription in this process, however many feeds share it. All
// subscriptions deliver into one channel, and one goroutine hands each message to the feeds of its subject. It never
// waits for a feed, so NATS never waits for a browser.
//
// Core NATS delivers at most once. What it loses is told: after a reconnect, and when messages came faster than this
// process could take them, every feed concerned gets a gap before any later message. Positions count in an epoch of this
// process's own; they are good for a short resume from a feed's memory, and mean nothing to any other process.
package source
