package outlet

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/sockets"
)

const (
	// leastWrite is how many KiB a client gets at first, and after it did not accept a whole write. It doubles with each whole write, up to
	// maxWrite. Unaccepted data is held in memory.
	leastWrite = 4
	// mostWrites is how many writes a socket or a group may make before others work.
	mostWrites = 64
	// goodbye is how long a socket that was ended waits for its client to close too.
	goodbye = time.Second
)

// socket is a connection that was taken over. All but queued belongs to the loop's goroutine. The order of the fields leaves no
// room between them.
type socket struct {
	loop *loop
	sockets.Taken
	generation int32 // 0 before it is watched
	queued     bool
	state      state
	chunked    bool // the body consists of chunks, of which the last is never sent
	alone      bool // it is the one of its feed in loop.alone
	reader     *bridge.Reader
	ended      func(isDead bool)
	owner      *bridge.Lifetime

	group *group // whose frames it is given; nil while it is not level with others
	index int32  // in the group

	most   uint8    // the most KiB of frames in the next write
	reason ending   // why the server ends it, where it does
	first  []byte   // the head of the response, until it is written
	rest   [][]byte // data that the socket has not accepted; written before anything else

	timer  timer
	opened time.Duration // when the loop got the socket
	wrote  time.Duration // time of the last write
	until  time.Duration // when the client is asked to reconnect
}

type state uint8

const (
	stateOpen   state = iota
	stateEnding       // the last frame waits in rest
	stateTold         // the last frame was written; see Config.CloseDelay
	stateGone         // the connection has ended; the socket waits for the client to close
	stateClosed
)

// somebody owns the connections of all anonymous clients that are the peers of their sockets: the kernel knows the addresses.
var somebody = &bridge.Lifetime{}

// whose returns whose connection the socket is. It reports false if the client has reset it, and the loop has not been told yet: the kernel has
// forgotten the address.
func (s *socket) whose() (of bridge.Lifetime, isThere bool) {
	if s.owner == somebody {
		address := s.peer().Addr()
		return bridge.Lifetime{Address: address}, address.IsValid()
	}
	return *s.owner, true
}

// Wake implements bridge.Waker.
func (s *socket) Wake() { s.loop.enqueue(s) }

func (s *socket) queuing() *bool { return &s.queued }

// work writes what there is to the client.
func (s *socket) work() {
	l := s.loop
	if s.generation == 0 && !s.begin() {
		return
	}
	for range mostWrites {
		if s.state != stateOpen || s.group != nil || s.rest != nil {
			return
		}
		own := s.preamble(l.batch[:0])
		batch, since := s.reader.NextSince(own, int(s.most)<<10, s)
		l.batch = batch
		n := len(l.batch) - len(own)
		if n > 0 || s.first != nil {
			packet := l.pack(s.first, l.batch...)
			s.first = nil
			clear(l.batch)
			if s.write(packet) {
				s.most = min(2*s.most, maxWrite>>10)
			}
			l.outlet.stats.frames.Add(uint64(n))
			l.observe(since)
		}
		if n == 0 {
			if s.state == stateOpen && s.rest == nil {
				l.gather(s)
			}
			return
		}
	}
	l.enqueue(s)
}

// preamble prepends what precedes the first frame to the frames of the first write.
func (s *socket) preamble(frames [][]byte) [][]byte {
	if s.first != nil {
		frames = append(frames, s.reader.Framing().Preamble())
	}
	return frames
}

// begin passes the socket to the loop. It reports false if that fails.
func (s *socket) begin() bool {
	l := s.loop
	for len(l.sockets) <= s.FD {
		l.sockets = append(l.sockets, make([]*socket, s.FD+1-len(l.sockets))...)
	}
	l.sockets[s.FD] = s
	l.generations = max(1, l.generations+1)
	s.generation = l.generations
	config := l.outlet.config
	if err := l.poller.add(s.FD, s.generation); err != nil {
		config.Log.Error("cannot serve a connection", "error", err)
		s.close(endClient)
		return false
	}
	s.opened, s.wrote = l.now, l.now
	s.until = l.now + l.outlet.stay()
	s.recheck()
	s.set()
	return true
}

// write writes what the socket accepts at once, and keeps the rest. It reports false if something is left.
func (s *socket) write(p *packet) bool { return s.writePieces(p.of(s.chunked)) }

func (s *socket) writePieces(pieces [][]byte) bool {
	l := s.loop
	n, err := send(s.FD, pieces)
	if err != 0 && err != unix.EAGAIN {
		s.close(endClient)
		return false
	}
	l.outlet.stats.bytes.Add(uint64(n))
	s.Sent += uint64(n)
	s.wrote = l.now
	if n == sizeOf(pieces) {
		return true
	}
	s.leave()
	l.detachBuffer()
	s.rest, s.most = behind(pieces, n), leastWrite
	s.takesNothing() // from now on
	s.set()
	return false
}

// flush continues with the data that is left.
func (s *socket) flush() {
	if s.rest == nil {
		return
	}
	rest := s.rest
	s.rest = nil
	if !s.writePieces(rest) {
		return
	}
	if s.state == stateEnding {
		s.told()
		return
	}
	s.work()
}

// discard reads and ignores what the client sends, so that its end is noticed.
func (s *socket) discard() {
	var buffer [512]byte
	if n, _ := unix.Read(s.FD, buffer[:]); n == 0 { // it is -1 with an error
		s.hungUp()
	}
}

// hungUp handles a client that has gone.
func (s *socket) hungUp() {
	if s.state == stateTold {
		s.close(s.reason) // the client was asked to
		return
	}
	s.close(endClient)
}

// takesNothing reports whether the client has received nothing for the write timeout, although there was something.
func (s *socket) takesNothing() bool {
	return s.Stalled(s.Unsent(), s.loop.now, s.loop.outlet.config.WriteTimeout)
}

// look does what is due.
func (s *socket) look() {
	l := s.loop
	config := l.outlet.config
	switch {
	case s.state == stateGone:
		s.close(s.reason)
		return
	case s.takesNothing():
		s.slow()
		return
	case s.state == stateTold && l.now >= s.wrote+config.CloseDelay:
		s.finish()
	case s.state == stateOpen && (l.now >= s.until || s.expired()):
		s.end(l.outlet.whyEnd(s.expired()))
	case s.state == stateOpen && s.rest == nil && l.now >= s.wrote+config.Heartbeat:
		if s.write(l.pack(nil, s.reader.Framing().Heartbeat())) {
			s.takesNothing() // from now on, unless it is acknowledged
		}
	}
	s.set()
}

// set sets the timer for the next call of look.
func (s *socket) set() {
	config := s.loop.outlet.config
	const never = 1 << 62
	due := time.Duration(never)
	switch s.state {
	case stateClosed:
		return
	case stateGone:
		due = s.wrote + goodbye
	case stateTold:
		due = s.wrote + config.CloseDelay
	case stateOpen:
		due = min(s.until, s.loop.now+untilExpiry(s.owner, s.loop.clock))
		if s.rest == nil {
			due = min(due, s.wrote+config.Heartbeat)
		}
	}
	if s.Since != 0 {
		due = min(due, s.Since+config.WriteTimeout)
	}
	s.loop.wheel.set(&s.timer, due)
}

// drain makes the client be asked to reconnect some time within the drain.
func (s *socket) drain() {
	s.until = min(s.until, s.loop.now+s.loop.outlet.drainDelay())
	s.set()
}

// recheck ends the connection at once if its caller's token was revoked.
func (s *socket) recheck() {
	if s.state == stateOpen && s.owner.Revoked != nil && s.owner.Revoked() {
		s.end(endAuth)
		s.set()
	}
}

// end tells the client that the server ends the connection, and the reason.
func (s *socket) end(reason ending) {
	l := s.loop
	s.reason = reason
	s.leave()
	s.state = stateEnding
	last := s.reader.Framing().Close(reason.String(), l.outlet.retry())
	packet := l.pack(s.first, append(s.preamble(nil), last)...)
	if s.rest != nil {
		l.detachBuffer()
		s.rest = append(s.rest, packet.of(s.chunked)...)
		return
	}
	if s.write(packet) {
		s.told()
	}
}

// told waits until the connection breaks off.
func (s *socket) told() {
	s.state = stateTold
	s.set()
}

// expired reports whether the caller's token has expired.
func (s *socket) expired() bool { return untilExpiry(s.owner, s.loop.clock) == 0 }

// finish ends the sending direction without a last chunk, which would end clients built on fetch for good. The socket itself stays until the
// client has closed too. If it were closed before, the kernel would discard data in flight if the client has sent something that nobody read.
func (s *socket) finish() {
	_ = unix.Shutdown(s.FD, unix.SHUT_WR)
	s.state = stateGone
	s.wrote = s.loop.now
	s.release(s.reason)
	s.set()
}

// refuse ends a connection that no loop has accepted, because they have ended. Any goroutine may call it.
func (s *socket) refuse() {
	last := s.reader.Framing().Close(endDrain.String(), s.loop.outlet.retry())
	packet := new(loop).pack(s.first, append(s.preamble(nil), last)...)
	_, _ = send(s.FD, packet.of(s.chunked)) // the socket has room: nothing was written before
	time.Sleep(s.loop.outlet.config.CloseDelay)
	s.Taken.Close()
	s.release(endDrain)
}

// slow cuts a client that receives nothing.
func (s *socket) slow() {
	s.loop.outlet.logSlow(s.client(), s.reader.Feed().Subjects())
	s.close(endSlow)
}

// close closes the socket. Data that the client has not received is discarded, with a reset: otherwise the kernel would keep it for minutes, and
// the client would find the end of the stream only after it.
func (s *socket) close(reason ending) {
	l := s.loop
	gone := s.state == stateGone
	if s.state == stateClosed {
		return
	}
	s.state = stateClosed
	s.leave()
	l.wheel.stop(&s.timer)
	if s.rest != nil {
		_ = unix.SetsockoptLinger(s.FD, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	l.sockets[s.FD] = nil
	s.Taken.Close()
	if !gone {
		s.release(reason)
	}
}

// release frees what the connection had.
func (s *socket) release(reason ending) {
	s.reader.Close()
	s.loop.outlet.closed(reason)
	s.ended(reason == endSlow)
}

// leave removes the socket from its group, if it is in one.
func (s *socket) leave() {
	if s.group != nil {
		s.group.leave(s)
	}
	if s.alone {
		s.alone = false
		delete(s.loop.alone, s.reader.Kin())
	}
}

// client returns the address of the socket's other end, for the log.
func (s *socket) client() string {
	peer := s.peer()
	if !peer.IsValid() {
		return "unknown" // the client has reset it, and the loop has not been told yet
	}
	return peer.String()
}

// peer returns the address of the socket's other end; the zero value if the kernel does not say.
func (s *socket) peer() netip.AddrPort {
	peer, _ := unix.Getpeername(s.FD) // nil with an error
	switch peer := peer.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(peer.Addr), uint16(peer.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(peer.Addr).Unmap(), uint16(peer.Port))
	}
	return netip.AddrPort{}
}
