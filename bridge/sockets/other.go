//go:build !linux

package sockets

import "net"

// unsent is for Linux. On other systems a client whose network is gone is noticed when the socket's buffer is full.
func unsent(net.Conn) int { return 0 }

// unread is for Linux. On other systems a request that nobody has read yet counts as none.
func unread(net.Conn) int { return 0 }

// limitSegments is for Linux.
func limitSegments(net.Listener) {}
