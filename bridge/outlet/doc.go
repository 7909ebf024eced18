// Package outlet writes frames to sockets, in one of two ways that follow the same rules.
//
// A few event loops write the connections that are plain TCP with HTTP/1, on Linux: taken over from net/http, they cost
// about a KiB each, and nothing of them waits for anything. Readers that have all that their feed holds are given the same,
// so a loop asks one of them for all, joins what it gives once, and makes one system call for each socket.
//
// The plain writer serves every other connection in the goroutine of its request, through http.ResponseController, so it
// works wherever net/http does.
//
// Either is the only writer of its socket. A client that takes nothing for the write timeout is cut; until then it costs
// the kernel's send buffer, which [Listen] keeps small, what is being written to it, and one cursor.
package outlet
