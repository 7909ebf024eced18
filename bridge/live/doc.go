// Package live lets a Go program carry NATS subjects to browsers by Server-Sent Events: a connection to NATS and a few options in,
// an [http.Handler] out.
//
//	nc, err := nats.Connect(nats.DefaultURL)
//	...
//	events, err := live.Open(nc, live.Options{Anyone: bridge.Grant{Subscribe: []bridge.Subject{"chat.>"}}})
//	...
//	defer events.Close()
//	http.ListenAndServe("127.0.0.1:8080", events)
//
// Now new EventSource("/events/chat.room1") reads what any NATS client publishes on chat.room1. The requests, events and errors are those
// of the command tailwater, which is built on this package.
//
// A [Bridge] may stand anywhere in a program's own mux, below [http.StripPrefix]. It writes each connection by the goroutine of its
// request. If the program also lets it have the listener ([Bridge.Listen]), a few event loops write instead, at a third of the processor
// time. The bridge chooses for each connection.
//
// # Stability
//
// This package keeps to semantic versioning, and so does what it names of others: of package bridge Caller, Grant, Subject, Route, Receipt,
// ParseRoute, HeaderEvent and the errors; [Access], [History] and [Tokens]. A program that compiles with version 1.x compiles with every
// later 1.y. All other packages of this module, and the rest of package bridge, are parts of the command. They may change with any
// version, and so may the parts of [Stats].
package live
