// Package catalog knows which stream holds a subject. Its Table reads the account's streams on each connection, and again what
// changes; makes the stream of Tailwater's own; and explains what it knows: where a filter's messages come from, what is
// wrong with a bucket, and what NATS must allow to the bridge's user.
package catalog
