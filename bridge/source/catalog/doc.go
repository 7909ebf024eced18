// Package catalog knows which stream holds a subject. Its Table reads the account's streams on each connection, and reads changed
// streams again. It makes Tailwater's own stream. It also explains where a filter's messages come from, what is wrong with a
// bucket, and which permissions the bridge's user needs at NATS.
package catalog
