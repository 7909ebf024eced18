package sockets_test

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/sockets"
)

// Many addresses that flood share a pace, also if each alone sends no more than it may. A quiet client does not wait, and an address with many
// browsers waits for seconds at most.
func TestManyAddressesShareAPace(t *testing.T) {
	const addresses, each, bytes = 26, 64, 60 << 10
	securely(t, sockets.Limits{All: 1000, Each: each}, func(t *testing.T, s *secured) {
		var flooding sync.WaitGroup
		begin := time.Now()
		for i := range addresses {
			flooding.Go(func() { s.flood(fmt.Sprint("192.0.2.", i), 1, bytes, floods["pings"]) })
		}
		time.Sleep(2 * time.Second) // of the bubble: the flood goes on for some four
		quiet, before := s.client("198.51.100.1", "h2"), time.Now()
		for i := range 10 {
			s.ask(quiet, fmt.Sprint(i))
		}
		if waited := time.Since(before); waited > 0 {
			t.Errorf("a quiet client waited for %v", waited)
		}
		before = time.Now()
		s.browse("198.51.100.2", 20, 5)
		if waited := time.Since(before); waited > 5*time.Second {
			t.Errorf("twenty browsers of one address waited for %v", waited)
		}
		quiet.CloseIdleConnections()
		flooding.Wait()
		// Each has a quiet client's share, a sixteenth, of its own. For the rest there are four addresses' rate, and what one may send at once.
		const together, share = 4 * each << 10, addresses * each << 10 / 16
		least := time.Duration(addresses*bytes-2*share-2*each<<10) * time.Second / (together + share)
		if took := time.Since(begin); took < least {
			t.Errorf("%d addresses took %v instead of at least %v", addresses, took, least)
		}
	})
}

// However long handshakes were begun and left, from one address or from many, their addresses and others wait for seconds afterwards, not for as
// long as the flood went on.
func TestFloodsAreForgotten(t *testing.T) {
	for _, addresses := range []int{1, 50} {
		t.Run(fmt.Sprint(addresses), func(t *testing.T) {
			securely(t, sockets.Limits{All: 1000, Each: 64}, func(t *testing.T, s *secured) {
				for i := range 6000 { // some forty seconds of debt, if it were not forgotten
					mine, theirs := net.Pipe()
					s.pipes.Conns <- peer{theirs, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i % addresses)}), 1))}
					mine.Close()
				}
				begin := time.Now()
				neighbour := s.client("192.0.2.0", "h2")
				s.ask(neighbour, "a message")
				neighbour.CloseIdleConnections()
				s.browse("198.51.100.1", 20, 5)
				if waited := time.Since(begin); waited > 30*time.Second {
					t.Errorf("behind the flood, others waited for %v", waited)
				}
			})
		})
	}
}
