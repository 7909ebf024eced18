// Package load puts a load on a server of event streams, and measures what becomes of it.
//
// A [Plan] says how many connections read which subjects, and how messages are published: over NATS or by POST, at a pace
// or so that a number of them is always on its way. Each payload bears a record: a mark of this run, the subject, a
// sequence, and when it was published. Whatever the server puts around a payload, the receiver looks for nothing but the
// record, so it can measure any server that passes payloads on as text.
//
//	publisher ── record ──> NATS or POST ──> the server ──> client ──> scanner ──> tally
//	at a pace, or a window                                  epoll      the record  latency, order, losses
//
// The generator shares its machine with the server, so it must cost much less: on Linux one loop reads all connections
// into one buffer, and elsewhere a goroutine reads each. Where the machine or the generator was what limited a run, the
// [Report] says so.
package load
