package bridgetest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Cutter is a proxy that breaks its connections on request.
type Cutter struct {
	net.Listener
	carry   carry
	copying sync.WaitGroup

	mu     sync.Mutex
	open   []net.Conn
	isOver bool
}

// carry copies until one side ends. isAnswer is true for what the server sends.
type carry func(to io.Writer, from io.Reader, isAnswer bool)

// StartCutter starts a proxy to an address, such as 127.0.0.1:4222. The end of the test stops it.
func StartCutter(t testing.TB, to string) *Cutter {
	t.Helper()
	return startProxy(t, to, func(to io.Writer, from io.Reader, _ bool) { _, _ = io.Copy(to, from) })
}

func startProxy(t testing.TB, to string, carry carry) *Cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cutter{Listener: listener, carry: carry}
	c.copying.Go(func() {
		for {
			from, err := c.Accept()
			if err != nil {
				return
			}
			onward, err := net.Dial("tcp", to)
			if err != nil {
				from.Close()
				continue
			}
			c.join(from, onward)
		}
	})
	t.Cleanup(func() {
		listener.Close()
		c.end()
		c.copying.Wait()
	})
	return c
}

// join carries between a client a and the server b.
func (c *Cutter) join(a, b net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isOver {
		a.Close()
		b.Close()
		return
	}
	c.open = append(c.open, a, b)
	for from, to := range map[net.Conn]net.Conn{a: b, b: a} {
		c.copying.Go(func() {
			c.carry(to, from, to == a)
			to.Close()
		})
	}
}

// Cut breaks all present connections.
func (c *Cutter) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		conn.Close()
	}
	c.open = nil
}

// end breaks all present and future connections.
func (c *Cutter) end() {
	c.mu.Lock()
	c.isOver = true
	c.mu.Unlock()
	c.Cut()
}
