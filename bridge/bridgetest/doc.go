// Package bridgetest is what the tests of Tailwater share: a strict reader of event streams, and nats-server as a
// process of its own, which can be killed.
package bridgetest
