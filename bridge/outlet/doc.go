// Package outlet writes frames to sockets.
//
// The plain writer serves a connection in the goroutine of its request, through http.ResponseController, so it works
// wherever net/http does. It is the only writer of its socket. A client that takes nothing for the write timeout is cut;
// until then it costs the kernel's send buffer, which [Listen] keeps small, and one cursor.
package outlet
