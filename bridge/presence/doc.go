// Package presence keeps the members of subjects in a NATS key-value bucket: who has a connection open on a subject, on any
// bridge.
//
// Each subject has one value, a State, under its own name. Each bridge adds and removes its own members there by compare-and-set.
// A bridge holds a lease: a key that NATS removes if the bridge has not renewed it for a while. If a lease is gone, the other
// bridges remove that bridge's members. Nothing of this package runs while messages are read: browsers read the values like those
// of any other subject.
package presence
