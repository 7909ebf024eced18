// Package bridgetest is what the tests of Tailwater share: a strict reader of event streams, nats-server as a
// process of its own, which can be killed, the command as a user gets it, and an ear for secrets that are told.
package bridgetest
