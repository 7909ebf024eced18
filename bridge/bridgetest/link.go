package bridgetest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// StartLink starts a proxy to an address, such as 127.0.0.1:4222, that is as far away as a round trip takes. It returns its own
// address, and ends with the test.
func StartLink(t testing.TB, to string, roundTrip time.Duration) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{delay: roundTrip / 2}
	l.copying.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			onward, err := net.Dial("tcp", to)
			if err != nil {
				from.Close()
				continue
			}
			l.join(from, onward)
		}
	})
	t.Cleanup(func() {
		listener.Close()
		l.cut()
		l.copying.Wait()
	})
	return listener.Addr().String()
}

type link struct {
	delay   time.Duration
	copying sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   []net.Conn
}

func (l *link) join(a, b net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		a.Close()
		b.Close()
		return
	}
	l.open = append(l.open, a, b)
	for from, to := range map[net.Conn]net.Conn{a: b, b: a} {
		under := make(chan parcel, 4096)
		l.copying.Go(func() { l.take(from, under) })
		l.copying.Go(func() { l.give(to, under) })
	}
}

// parcel is what came in one read, and when it arrives.
type parcel struct {
	data []byte
	due  time.Time
}

func (l *link) take(from net.Conn, under chan<- parcel) {
	defer close(under)
	for {
		buffer := make([]byte, 16<<10)
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		under <- parcel{buffer[:n], time.Now().Add(l.delay)}
	}
}

func (l *link) give(to net.Conn, under <-chan parcel) {
	defer to.Close()
	for p := range under {
		<-time.After(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			to.Close()
			for range under { // what is still coming is for nobody
			}
			return
		}
	}
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, conn := range l.open {
		conn.Close()
	}
}
