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
// # Around the bridge
//
// A server for the bridge needs limits for what clients send: ReadHeaderTimeout and IdleTimeout of [http.Server]. Its WriteTimeout does not
// end event streams, which set their own deadlines. With HTTP/2, set WriteByteTimeout, SendPingTimeout and PingTimeout of
// [http.HTTP2Config] too, and a MaxConcurrentStreams of 100 or more: one page may read many streams on one connection.
//
// Middleware may wrap the [http.ResponseWriter] if its type has the method Unwrap (see [http.ResponseController]); without it every
// GET is answered 500, and the log says why. It must not change the bytes, as compression does. What event loops write it does not
// see, and the handler has returned already while the stream lasts.
//
// The module /client.js is served if [Options].Pages is the function Client of package web.
//
// # Sign-out
//
// The end of a session of the program does not end the streams that it has opened. They end at Caller.Until, or at Limits.Age, whichever
// comes first; EventSource then reconnects, and Options.Caller is asked again. So return an Until a few minutes ahead. To end streams at
// once, call [Bridge.Offer], and request $TAILWATER.<name>.kick over NATS with {"caller":"alice"}: all bridges then ask alice's clients to
// reconnect, and Options.Caller can refuse them. With [Tokens] instead of Options.Caller, a key in the bucket tailwater_revoked does this.
//
// # Stability
//
// This package follows semantic versioning. So do the names that it uses of other packages: of package bridge Caller, Grant, Subject,
// Route, Receipt, ParseRoute, HeaderEvent, Tracer, Span and the errors; [Access], [Apart], [History] and [Tokens]; of package web Client. A
// program that compiles with version 1.x compiles with every later 1.y. All other packages of this module, and the rest of these, are
// parts of the command. They may change with any version, and so may the parts of [Stats] and what [Bridge.Survey] returns.
package live
