// Package bridgetest holds what the tests of Tailwater share: a strict reader of event streams, nats-server as a separate process that
// can be killed, the built command, and a detector of leaked secrets.
package bridgetest
