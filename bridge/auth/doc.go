// Package auth tells from a token who sends a request, and what that caller may do.
//
// A token is a JWT (RFC 7519) of somebody else's making: of an identity provider, or of the program whose pages read from
// this bridge. Its claim `nats` has the shape of NATS's own permissions. What a token says is taken for true when its
// signature is that of a key from the configuration, by the algorithm that this kind of key is for, and it is neither
// expired nor revoked. Nothing is remembered of it: each request brings it again, itself or sealed in a ticket.
package auth
