// Package outlet writes frames to sockets, in one of two ways with the same rules.
//
// On Linux, a few event loops write the connections that are plain TCP with HTTP/1. Taken over from net/http, each costs about a KiB, and no
// loop ever waits for a connection. Readers that have everything in their feed receive the same frames. So a loop reads one of them for all,
// joins the frames once, and makes one system call per socket.
//
// The plain writer serves every other connection from the goroutine of its request, through http.ResponseController, so it works wherever
// net/http does.
//
// Each socket has one writer. A client that receives nothing for the write timeout is cut. Until then it costs the kernel's send buffer, which
// package sockets keeps small, the data being written, and one cursor.
package outlet
