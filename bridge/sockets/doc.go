// Package sockets accepts the connections of clients, counts them, and knows whether their clients still receive.
//
// [Listen] makes a listener of [Conn]. A Conn has a small send buffer, a write deadline that counts from the last byte that its client has
// received, and over TLS the pace of its address.
//
// [Places] says who may have a socket, and a request on it. If there is no room for another, a socket that waits for its client makes room.
//
// On Linux, [TakeOver] takes a socket from net/http for somebody who writes to its descriptor. The package knows nothing of what is written.
package sockets
