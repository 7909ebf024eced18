package load

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// systemClient is the client for this system.
func systemClient(target *target, tallies []*tally) (client, error) {
	return newEpollClient(target, tallies)
}

// loops is how many loops read the connections. One loop keeps up with a server on a few cores, and leaves these to the server.
func loops() int { return 1 + runtime.NumCPU()/8 }

// epollClient reads connections in loops: one system call for each ready connection, into one shared buffer.
type epollClient struct {
	loops   []*loop
	running sync.WaitGroup
}

func newEpollClient(target *target, tallies []*tally) (*epollClient, error) {
	c := &epollClient{}
	for i, tally := range tallies {
		l, err := newLoop(target, tally, i, len(tallies))
		if err != nil {
			c.release()
			return nil, fmt.Errorf("set up a loop: %w", err)
		}
		c.loops = append(c.loops, l)
	}
	return c, nil
}

func (c *epollClient) begin() {
	for _, l := range c.loops {
		c.running.Go(l.run)
	}
}

func (c *epollClient) close() {
	for _, l := range c.loops {
		l.stop()
	}
	c.running.Wait()
	c.release()
}

func (c *epollClient) release() {
	for _, l := range c.loops {
		l.release()
	}
}

func (c *epollClient) waiting() (waited time.Duration) {
	for _, l := range c.loops {
		waited += time.Duration(l.waited.Load())
	}
	return waited
}

// loop reads some of the connections.
type loop struct {
	target      *target
	tally       *tally
	first, step int // it reads every step-th connection, from first on

	epoll, bell int // bell is a descriptor that wakes the loop
	stopping    atomic.Bool
	waited      atomic.Int64 // ns

	sockets []int32 // by reader number; noSocket if there is none
	next    int     // the next reader to open
	opening int
	buffer  []byte
	events  []unix.EpollEvent
}

const (
	noSocket   = -1
	bellNumber = -1
	readSize   = 256 << 10
	eventsSize = 1024
)

func newLoop(target *target, tally *tally, first, step int) (*loop, error) {
	l := &loop{
		target: target, tally: tally, first: first, step: step, epoll: noSocket, bell: noSocket,
		sockets: make([]int32, len(tally.readers)),
		buffer:  make([]byte, headroom+readSize),
		events:  make([]unix.EpollEvent, eventsSize),
	}
	for i := range l.sockets {
		l.sockets[i] = noSocket
	}
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if l.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		l.release()
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := l.watch(unix.EPOLL_CTL_ADD, l.bell, bellNumber, unix.EPOLLIN); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// watch sets which events of a descriptor the loop waits for.
func (l *loop) watch(operation, fd, number int, events uint32) error {
	err := unix.EpollCtl(l.epoll, operation, fd, &unix.EpollEvent{Events: events, Fd: int32(number)})
	return os.NewSyscallError("epoll_ctl", err)
}

func (l *loop) stop() {
	l.stopping.Store(true)
	_, _ = unix.Write(l.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

func (l *loop) release() {
	for _, fd := range append(l.sockets, int32(l.bell), int32(l.epoll)) {
		if fd != noSocket {
			_ = unix.Close(int(fd))
		}
	}
	l.sockets, l.bell, l.epoll = nil, noSocket, noSocket
}

func (l *loop) run() {
	for !l.stopping.Load() {
		l.launch()
		ready, err := l.wait()
		if err != nil {
			l.fail(err)
			return
		}
		l.tally.mu.Lock()
		for _, event := range ready {
			if event.Fd != bellNumber {
				l.serve(int(event.Fd), event.Events)
			}
		}
		l.tally.mu.Unlock()
	}
}

// wait returns ready connections. If some are ready already, Go's scheduler is not involved.
func (l *loop) wait() ([]unix.EpollEvent, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events)), 0, 0, 0)
	if errno == 0 && n > 0 {
		return l.events[:n], nil
	}
	began := time.Now()
	ready, err := unix.EpollWait(l.epoll, l.events, -1)
	l.waited.Add(int64(time.Since(began)))
	if errors.Is(err, unix.EINTR) {
		return nil, nil
	}
	return l.events[:max(0, ready)], os.NewSyscallError("epoll_wait", err)
}

// fail records an error that ends the whole loop.
func (l *loop) fail(err error) {
	l.tally.mu.Lock()
	defer l.tally.mu.Unlock()
	l.tally.failure = err
}

// launch starts to open connections, as many at once as allowed.
func (l *loop) launch() {
	if l.next == len(l.sockets) || l.opening >= openingAtOnce {
		return
	}
	l.tally.mu.Lock()
	defer l.tally.mu.Unlock()
	for l.next < len(l.sockets) && l.opening < openingAtOnce {
		number := l.next
		r := &l.tally.readers[number]
		l.next++
		fd, err := l.connect(number)
		l.sockets[number] = int32(fd)
		l.opening++
		if err == nil {
			continue
		}
		if machine := isMachine(err); machine != nil {
			l.drop(number)
			l.tally.skip(r, machine)
			continue
		}
		l.end(number, err)
	}
}

// numberOf returns the number, among all connections, of one of this loop.
func (l *loop) numberOf(number int) int { return number*l.step + l.first }

// connect starts to open a connection. It may return a descriptor together with an error.
func (l *loop) connect(number int) (fd int, err error) {
	i := l.numberOf(number)
	to, family := sockaddr(l.target.addr(i))
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return noSocket, os.NewSyscallError("socket", err)
	}
	if source := l.target.source(i); source.IsValid() {
		from, _ := sockaddr(netip.AddrPortFrom(source, 0))
		// The port is chosen with the connection, so that one port of the address serves several peers.
		err := errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1), unix.Bind(fd, from))
		if err != nil {
			return fd, os.NewSyscallError("bind", err)
		}
	}
	if err := unix.Connect(fd, to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fd, os.NewSyscallError("connect", err)
	}
	return fd, l.watch(unix.EPOLL_CTL_ADD, fd, number, unix.EPOLLOUT)
}

func sockaddr(addr netip.AddrPort) (to unix.Sockaddr, family int) {
	if addr.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}, unix.AF_INET
	}
	return &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}, unix.AF_INET6
}

// serve handles the events of a connection. The tally is locked.
func (l *loop) serve(number int, events uint32) {
	fd := int(l.sockets[number])
	if fd == noSocket {
		return // an earlier event has ended it
	}
	r := &l.tally.readers[number]
	var err error
	switch {
	case r.phase == opening && events&unix.EPOLLOUT != 0:
		err = l.ask(number, fd)
	case r.phase == open && r.stalled:
		err = errClosed // the loop waits for no other event
	default:
		err = l.read(r, number, fd)
	}
	if err != nil {
		l.end(number, err)
	}
}

// ask sends the request if the connection was made.
func (l *loop) ask(number, fd int) error {
	if code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
		return errors.Join(err, os.NewSyscallError("connect", unix.Errno(code)))
	}
	request, err := l.target.request(l.numberOf(number), int(l.tally.readers[number].subject))
	if err != nil {
		return err
	}
	if n, err := unix.Write(fd, request); err != nil || n < len(request) {
		return fmt.Errorf("send the request: %d of %d bytes: %w", n, len(request), err)
	}
	return l.watch(unix.EPOLL_CTL_MOD, fd, number, unix.EPOLLIN|unix.EPOLLRDHUP)
}

// read reads once. The descriptor never blocks, so Go's scheduler need not know about the call.
func (l *loop) read(r *reader, number, fd int) error {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&l.buffer[headroom])), readSize)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return nil
	case errno != 0:
		return os.NewSyscallError("read", errno)
	case n == 0:
		return errClosed
	}
	was := r.phase
	if err := l.tally.take(r, l.buffer[:headroom+int(n)], l.target.now()); err != nil {
		return err
	}
	if was == opening && r.phase == open {
		l.opening--
		if r.stalled {
			return l.watch(unix.EPOLL_CTL_MOD, fd, number, unix.EPOLLRDHUP)
		}
	}
	return nil
}

// end closes a connection that has ended. The tally is locked.
func (l *loop) end(number int, why error) {
	r := &l.tally.readers[number]
	l.drop(number)
	l.tally.end(r, why)
}

// drop closes a descriptor, if there is one.
func (l *loop) drop(number int) {
	if l.tally.readers[number].phase == opening {
		l.opening--
	}
	if fd := l.sockets[number]; fd != noSocket {
		_ = unix.Close(int(fd))
		l.sockets[number] = noSocket
	}
}
