package outlet

import (
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// packet is the data of one write: joined frames, as one chunk of the body (RFC 9112, 7.1) and plain. All sockets with the same frames share it;
// clients of HTTP/1.0 do not support chunks. Its slices are valid until the next call of pack, unless the buffer was detached.
type packet struct {
	chunk [][]byte // pieces, to be written one after another
	plain [][]byte
}

// of returns the pieces for a socket.
func (p *packet) of(chunked bool) [][]byte {
	if chunked {
		return p.chunk
	}
	return p.plain
}

const (
	// maxCopied is the size up to which a single frame is copied to follow the head of its chunk. A larger frame is written from where it is, so
	// that slow clients share it instead of holding a copy each.
	maxCopied = 4 << 10
	// maxPieces is the most pieces of a write: an unfinished one, followed by the last frame.
	maxPieces = 4
	// chunkHead is the size of the longest chunk head.
	chunkHead = 16 + len(lineEnd)
)

const lineEnd = "\r\n"

var chunkEnd = []byte(lineEnd)

// pack makes one packet of frames, and of what precedes the chunk, such as the head of the response. Without frames there is no chunk: an empty
// chunk would be the last.
func (l *loop) pack(first []byte, frames ...[]byte) *packet {
	p := &l.packet
	p.chunk, p.plain = p.chunk[:0], p.plain[:0]
	size := 0
	for _, frame := range frames {
		size += len(frame)
	}
	switch {
	case size == 0:
		p.chunk, p.plain = append(p.chunk, first), append(p.plain, first)
	case len(frames) == 1 && size > maxCopied:
		head := append(make([]byte, 0, len(first)+chunkHead), first...)
		p.chunk = append(p.chunk, appendChunkHead(head, size), frames[0], chunkEnd)
		p.plain = appendPiece(p.plain, first)
		p.plain = append(p.plain, frames[0])
	default:
		l.join(first, frames, size)
	}
	return p
}

// join packs copies of frames.
func (l *loop) join(first []byte, frames [][]byte, size int) {
	joined := l.joined[:0]
	if need := len(first) + chunkHead + size + len(lineEnd); cap(joined) < need {
		joined = make([]byte, 0, need)
	}
	joined = appendChunkHead(append(joined, first...), size)
	begin := len(joined)
	for _, frame := range frames {
		joined = append(joined, frame...)
	}
	end := len(joined)
	joined = append(joined, lineEnd...)
	l.joined = joined
	l.packet.chunk = append(l.packet.chunk, joined)
	l.packet.plain = appendPiece(l.packet.plain, first)
	l.packet.plain = append(l.packet.plain, joined[begin:end])
}

// detachBuffer leaves the packet of pack to the caller: the next packet uses another buffer.
func (l *loop) detachBuffer() { l.joined = nil }

func appendChunkHead(dst []byte, size int) []byte {
	return append(strconv.AppendInt(dst, int64(size), 16), lineEnd...)
}

func appendPiece(pieces [][]byte, piece []byte) [][]byte {
	if len(piece) == 0 {
		return pieces
	}
	return append(pieces, piece)
}

// sizeOf returns the size of pieces in bytes.
func sizeOf(pieces [][]byte) (size int) {
	for _, piece := range pieces {
		size += len(piece)
	}
	return size
}

// behind returns what is left of pieces after the first n bytes. The slice is new, the bytes are not copied.
func behind(pieces [][]byte, n int) [][]byte {
	var rest [][]byte
	for _, piece := range pieces {
		if n >= len(piece) {
			n -= len(piece)
			continue
		}
		rest, n = append(rest, piece[n:]), 0
	}
	return rest
}

// send writes what fits. The descriptor never blocks, so Go's scheduler need not know about the call, which would cost a sixth more.
func send(fd int, pieces [][]byte) (n int, err syscall.Errno) {
	const flags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
	for {
		var sent uintptr
		if len(pieces) == 1 {
			data := pieces[0]
			sent, _, err = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)), flags, 0, 0)
		} else {
			var vectors [maxPieces]unix.Iovec
			for i, piece := range pieces {
				vectors[i].Base = unsafe.SliceData(piece)
				vectors[i].SetLen(len(piece))
			}
			message := unix.Msghdr{Iov: &vectors[0]}
			message.SetIovlen(len(pieces))
			sent, _, err = unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&message)), flags)
		}
		switch err {
		case 0:
			return int(sent), 0
		case unix.EINTR:
		default:
			return 0, err
		}
	}
}
