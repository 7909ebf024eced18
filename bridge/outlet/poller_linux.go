package outlet

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller reports events of sockets: room after one was full, and clients that have gone. It is an epoll set that Go's own poller watches, so that
// no thread waits in it.
type poller struct {
	fd     int
	file   *os.File
	events chan []unix.EpollEvent // to be handled, and then reported on done
	done   chan struct{}
	closed chan struct{}
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make an epoll set: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(fmt.Errorf("make an epoll set: %w", err), unix.Close(fd))
	}
	return &poller{
		fd:     fd,
		file:   os.NewFile(uintptr(fd), "epoll"),
		events: make(chan []unix.EpollEvent),
		done:   make(chan struct{}),
		closed: make(chan struct{}),
	}, nil
}

// add watches a socket until it is closed. Each event has the socket's generation, because the descriptor may belong to another connection when the
// event is handled.
func (p *poller) add(fd int, generation int32) error {
	// Edge-triggered, so waiting for room costs no extra call.
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd), Pad: generation}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("watch a socket: %w", err)
	}
	return nil
}

// run delivers events until the poller is closed.
func (p *poller) run() error {
	set, err := p.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("watch sockets: %w", err)
	}
	buffer := make([]unix.EpollEvent, 256)
	for {
		var n int
		var failed error
		err := set.Read(func(fd uintptr) bool {
			n, failed = unix.EpollWait(int(fd), buffer, 0)
			return n > 0 || failed != nil && failed != syscall.EINTR
		})
		select {
		case <-p.closed:
			return nil
		default:
		}
		if err := errors.Join(err, failed); err != nil {
			return fmt.Errorf("watch sockets: %w", err)
		}
		select {
		case p.events <- buffer[:n]:
			<-p.done
		case <-p.closed:
			return nil
		}
	}
}

// close ends run. Nothing can be added any more.
func (p *poller) close() {
	close(p.closed)
	_ = p.file.Close()
}
