// Package load puts load on a server of event streams, and measures the result.
//
// A [Plan] says how many connections read which subjects, and how messages are published: over NATS or by POST, at a fixed rate, or with
// a fixed number in flight. Each payload contains a record: a tag of this run, the subject, a sequence, and the time of publishing. The
// receiver looks only for the record, whatever the server puts around a payload. So it can measure any server that passes payloads on as
// text.
//
//	publisher ── record ──> NATS or POST ──> the server ──> client ──> scanner ──> tally
//	at a rate, or a window                                  epoll      the record  latency, order, losses
//
// The generator shares its machine with the server, so it must cost much less: on Linux one loop reads all connections into one buffer,
// elsewhere a goroutine reads each. If the machine or the generator limited a run, the [Report] says so.
package load
