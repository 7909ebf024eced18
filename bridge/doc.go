// Package bridge is the core of Tailwater: it connects NATS on one side to browsers on the other, without knowing either.
//
// A [Source] delivers each message once. A [Feed] encodes it once, in one [Framing], and keeps it among the recent frames of a set of
// subjects. A [Reader] is one browser: a cursor into a feed, never a queue of its own. The [Hub] opens a feed for its first reader and keeps
// it for a while after its last, so that a browser that reconnects finds the frames that it missed.
//
//	Source ── Message ──> Feed ── frames ──> Reader ──> socket
//	one goroutine         one short lock     a cursor   one writer
//
// Nothing upstream waits for anything downstream: a source never blocks on a feed, and a feed never blocks on a reader.
// A reader that falls behind its feed's memory is served from the [Log] that stores the messages, at its own pace. If nothing stores them, it
// gets a gap. Readers that have everything in their feed are level: one of them can be read for all.
//
// The package imports only the standard library, and nothing of it that does I/O, such as net/http.
package bridge
