// Package bridgetest is what the tests of Tailwater share: a strict reader of event streams, nats-server as a
// process of its own, which can be killed, and an ear for secrets that are told.
package bridgetest
