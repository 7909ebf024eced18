// Package bridge is the core of Tailwater: what lies between NATS on one side and browsers on the other, without
// knowing either.
//
// A [Source] hands over each message once. A [Feed] encodes it once, in one [Framing], and keeps it among the recent
// frames of a set of subjects. A [Reader] is one browser: a cursor into a feed, never a queue of its own. The [Hub] opens
// a feed at its first reader and lets it linger after its last, so that a browser which reconnects finds the frames that
// it missed.
//
//	Source ── Message ──> Feed ── frames ──> Reader ──> socket
//	one goroutine         one short lock     a cursor   one writer
//
// Nothing upstream waits for anything downstream: a source never blocks on a feed, and a feed never blocks on a reader.
// A reader that falls behind what its feed holds is served from the [Log] that stores the messages, at its own pace; where
// nothing stores them, it is told so by a gap. Readers that have all their feed holds are level: one can be asked for all.
//
// The package imports only the standard library, and of that neither net/http nor anything else that does I/O.
package bridge
