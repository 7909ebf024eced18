package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// cutter is a proxy whose connections break when it is told to.
type cutter struct {
	net.Listener
	mu      sync.Mutex
	open    []net.Conn
	copying sync.WaitGroup
}

func startCutter(t *testing.T, to net.Addr) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: listener}
	c.copying.Go(func() {
		for {
			from, err := c.Accept()
			if err != nil {
				return
			}
			onward, err := net.Dial("tcp", to.String())
			if err != nil {
				from.Close()
				continue
			}
			c.join(from, onward)
		}
	})
	t.Cleanup(func() {
		listener.Close()
		c.cut()
		c.copying.Wait()
	})
	return c
}

func (c *cutter) join(a, b net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = append(c.open, a, b)
	for from, to := range map[net.Conn]net.Conn{a: b, b: a} {
		c.copying.Go(func() {
			_, _ = io.Copy(to, from)
			to.Close()
		})
	}
}

// cut breaks all connections there are.
func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		conn.Close()
	}
	c.open = nil
}
