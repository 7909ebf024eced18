// Package js speaks to NATS, and to its JetStream in JetStream's own subjects: requests, push consumers, direct gets,
// acknowledgements.
//
// A Conn is a connection of nats.go, which dials again whenever it is lost. Each dial makes a Link: whether it is up, what NATS has refused on it,
// and what was not answered. All that is proved of a connection is proved of a Link.
//
// No header of a publisher is taken for a word of the server: what a message is, and where, is read from its subject and reply
// subject, or from what a server appends behind the publisher's headers.
package js
