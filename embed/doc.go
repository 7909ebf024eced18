// Package embed runs a nats-server inside this process: with JetStream, on loopback so that the nats command works, and
// connected to the bridge by a pipe instead of a socket.
package embed
