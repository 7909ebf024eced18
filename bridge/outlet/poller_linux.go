package outlet

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller tells what happens on sockets: that there is room again after one was full, and that a client is gone. It is an
// epoll set that Go's own poller watches, so that no thread waits in it.
type poller struct {
	fd     int
	file   *os.File
	events chan []unix.EpollEvent // to be handled; then done has to be told
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

// add watches a socket until it is closed. Each event bears its generation: the descriptor may be another's by the time the
// event is looked at.
func (p *poller) add(fd int, generation int32) error {
	// Edge-triggered: to wait for room costs no call of its own.
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd), Pad: generation}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("watch a socket: %w", err)
	}
	return nil
}

// run hands over events until the poller is closed.
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
