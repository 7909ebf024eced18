package sockets_test

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tailwater/tailwater/bridge/sockets"
)

// unheeded is a connection whose client has sent something that nobody reads. The kernel takes a moment to say so.
type unheeded struct {
	peer
	unread uintptr // a descriptor with unread data
}

// SyscallConn implements syscall.Conn.
func (u unheeded) SyscallConn() (syscall.RawConn, error) {
	time.Sleep(time.Millisecond) // of the bubble
	return descriptor{fd: u.unread}, nil
}

// descriptor is a syscall.RawConn of which Control alone is called.
type descriptor struct {
	syscall.RawConn
	fd uintptr
}

// Control implements syscall.RawConn.
func (d descriptor) Control(do func(uintptr)) error {
	do(d.fd)
	return nil
}

// Where every socket has sent something, and there are so many that to spare them takes longer than a newcomer is left, the newcomer makes
// no room for itself: one of the others does.
func TestNewcomerIsNotCutForItself(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if _, err := unix.Write(pair[0], []byte("GET")); err != nil {
		t.Fatal(err)
	}
	const all = 32
	inFrontOf(t, sockets.Limits{All: all}, func(t *testing.T, d *door) {
		var conns []net.Conn
		for range all {
			mine, theirs := net.Pipe()
			defer mine.Close()
			from := net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:1"))
			d.pipes.Conns <- unheeded{peer{theirs, from}, uintptr(pair[1])}
			synctest.Wait()
			conns = append(conns, mine)
		}
		conns = append(conns, d.come("192.0.2.1", 10)...)
		time.Sleep(time.Second) // until none is young
		if first, others := stillOpen(conns[:10]), stillOpen(conns[10:]); first != 0 || others != all {
			t.Errorf("%d of the first and %d of the others are open", first, others)
		}
	})
}
