// Package js talks to NATS, and to JetStream on JetStream's own subjects: requests, pull consumers, direct gets,
// acknowledgements.
//
// A Conn is a connection of nats.go, which dials again after each loss. Each dial makes a Link, which records whether the
// connection is up, what NATS has refused on it, and which requests have no answer. A proof about a connection is valid for one
// Link.
//
// No header of a publisher is mistaken for the server's. The kind of a message and its sequence are read from its subject and reply
// subject, or from the headers that the server adds after the publisher's.
package js
