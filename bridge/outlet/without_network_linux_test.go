package outlet_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// loseNetwork lets a socket take nothing any more, nor acknowledge or answer anything: as when its machine has lost the network,
// or its power.
func loseNetwork(t *testing.T, c *rawClient) {
	t.Helper()
	raw, err := c.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	filterErr := err
	err = raw.Control(func(fd uintptr) {
		filterErr = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing})
	})
	if err != nil || filterErr != nil {
		t.Fatal(err, filterErr)
	}
}

// A client whose network is gone is cut when it has acknowledged nothing for the write timeout.
func TestClientWithoutNetworkIsCut(t *testing.T) {
	overSockets(t, func(t *testing.T, p protocol) {
		config := patient
		config.Heartbeat, config.WriteTimeout = 50*time.Millisecond, writeTimeout
		b := newFixture(t, p.on(config), plenty)
		server := b.serve(t, p)
		gone, _ := dial(t, server), dial(t, server)
		loseNetwork(t, gone)
		bridgetest.Eventually(t, "it is cut", func() bool { return b.outlet.Stats().Ended["slow"] == 1 })
		if open := b.outlet.Stats().Open; open != 1 {
			t.Errorf("%d connections are open", open)
		}
	})
}

// It is cut a write timeout after the first heartbeat that it does not acknowledge, not after the second or third. No heartbeat follows in
// that time here.
func TestClientWithoutNetworkGetsOneHeartbeat(t *testing.T) {
	overSockets(t, func(t *testing.T, p protocol) {
		config := patient
		config.Heartbeat, config.WriteTimeout = 5*writeTimeout, writeTimeout
		b := newFixture(t, p.on(config), plenty)
		gone := dial(t, b.serve(t, p))
		loseNetwork(t, gone)
		// What the client has read may not be counted yet.
		bridgetest.Eventually(t, "its first event is counted", func() bool { return b.outlet.Stats().Frames > 0 })
		before := b.outlet.Stats().Bytes
		bridgetest.Eventually(t, "it is cut", func() bool { return b.outlet.Stats().Ended["slow"] == 1 })
		if wrote := b.outlet.Stats().Bytes - before; wrote > uint64(len(bridge.Framing{}.Heartbeat())) {
			t.Errorf("%d bytes were written to it, which is more than one heartbeat", wrote)
		}
	})
}

// It is cut as well while there are messages, so that no heartbeat is due.
func TestClientWithoutNetworkIsCutOnABusySubject(t *testing.T) {
	overSockets(t, func(t *testing.T, p protocol) {
		config := patient
		config.Heartbeat, config.WriteTimeout = writeTimeout, writeTimeout
		b := newFixture(t, p.on(config), plenty)
		gone := dial(t, b.serve(t, p))
		loseNetwork(t, gone)
		looks := 0
		bridgetest.Eventually(t, "it is cut", func() bool {
			if looks++; looks%50 == 0 {
				b.publish([]byte("a"))
			}
			return b.outlet.Stats().Ended["slow"] == 1
		})
		if published := looks / 50; published > 60 {
			t.Errorf("%d messages were written to it, so that the kernel's buffer was full", published)
		}
	})
}
