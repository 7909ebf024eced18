// Package auth checks tokens: it returns who sends a request, and what that caller may read and write.
//
// A token is a JWT (RFC 7519). An identity provider signs it, or the program whose pages read from this bridge. Its claim
// `nats` has the shape of NATS's own permissions. A token is valid if one of the configured keys signed it, with an
// algorithm for that kind of key, and if it is neither expired nor revoked. Auth stores no tokens: each request carries
// one, as it is or sealed in a ticket.
package auth
