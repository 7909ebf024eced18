// Package live carries NATS subjects to browsers by Server-Sent Events. It takes a connection to NATS and a few options, and returns
// an [http.Handler].
//
//	nc, err := nats.Connect(nats.DefaultURL)
//	...
//	events, err := live.Open(nc, live.Options{Anyone: bridge.Grant{Subscribe: []bridge.Subject{"chat.>"}}})
//	...
//	defer events.Close()
//	http.ListenAndServe("127.0.0.1:8080", events)
//
// Now new EventSource("/events/chat.room1") reads messages that any NATS client publishes on chat.room1. The requests, events and errors
// are those of the command tailwater, which is built on this package.
//
// A [Bridge] may be part of a program's own mux, below [http.StripPrefix]. It writes each connection from the goroutine of its request.
// If the program gives it the listener ([Bridge.Listen]), a few event loops write instead, at a third of the processor time. The bridge
// chooses for each connection.
//
// # Stability
//
// This package follows semantic versioning. So do the names that it uses of other packages: of package bridge Caller, Grant, Subject,
// Route, Receipt, ParseRoute, HeaderEvent and the errors; [Access], [History] and [Tokens]. A program that compiles with version 1.x
// compiles with every later 1.y. All other packages of this module, and the rest of package bridge, are parts of the command. They may
// change with any version, and so may the parts of [Stats].
package live
