package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// wire is how a client connects whose network can be lost.
type wire struct {
	conn syscall.RawConn
}

// over makes a client connect by the wire.
func (w *wire) over(client *http.Client) *http.Client {
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		w.conn, err = conn.(*net.TCPConn).SyscallConn()
		return conn, err
	}
	client.Timeout = 0 // it reads for as long as the test runs
	return client
}

// lose makes the socket receive nothing, and so acknowledge nothing. The bridge is not told.
func (w *wire) lose(t *testing.T) {
	t.Helper()
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	var refused error
	err := w.conn.Control(func(fd uintptr) {
		refused = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing})
	})
	if err != nil || refused != nil {
		t.Fatal(err, refused)
	}
}

// TestChaosPresenceOfVanishedClients proves that clients without a network leave soon and once, over HTTP/1.1, TLS and HTTP/2.
func TestChaosPresenceOfVanishedClients(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	a := newIssuer(t)
	certificate, _ := a.settings()
	plain := startProcess(t, environ(listed(server.URL()))...)
	secure := startProcess(t, environ(with(listed(server.URL()), certificate))...)
	var wires []*wire
	for name, by := range map[string]struct {
		base   string
		client *http.Client
	}{
		"Ada":  {plain.http, &http.Client{Transport: &http.Transport{}}},
		"Ben":  {secure.http, a.client(false)},
		"Cleo": {secure.http, a.client(true)},
	} {
		w := &wire{}
		client := w.over(by.client)
		t.Cleanup(client.CloseIdleConnections)
		response, err := client.Get(by.base + "/events/chat.a?name=" + name)
		noError(t, err)
		t.Cleanup(func() { response.Body.Close() })
		wires = append(wires, w)
	}
	enter(t, plain.http, "chat.a", "Dan")
	w := observe(t, plain.http, "chat.a")
	w.await("Ada", "Ben", "Cleo", "Dan")
	for _, lost := range wires {
		lost.lose(t)
	}
	began := time.Now()
	gone := func(most time.Duration, names ...string) bridge.Presence {
		t.Helper()
		p := w.awaitThat(func(here []string) bool {
			return !slices.ContainsFunc(here, func(name string) bool { return slices.Contains(names, name) })
		})
		took := time.Since(began)
		if took > most+5*time.Second { // for a loaded machine
			t.Errorf("%v gone after %v", names, took)
		}
		t.Logf("%v gone after %v", names, took)
		return p
	}
	if p := gone(35*time.Second, "Ada", "Ben"); slices.Contains(namesOf(p), "Cleo") {
		gone(40*time.Second, "Cleo") // over HTTP/2
	}
	if left := slices.Sorted(slices.Values(w.left())); !slices.Equal(left, []string{"Ada", "Ben", "Cleo"}) {
		t.Errorf("left: %q", left)
	}
}

// TestChaosPresenceOfBridgeWithoutNATS proves that a bridge which is cut off from NATS for five seconds is not noticed. One that is cut off for
// a minute loses only its own members, and lists them again.
func TestChaosPresenceOfBridgeWithoutNATS(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	link := bridgetest.StartFreezer(t, fmt.Sprintf("127.0.0.1:%d", server.Port))
	far := startProcess(t, environ(listed("nats://"+link.Addr().String()))...)
	near := startProcess(t, environ(listed(server.URL()))...)
	enter(t, far.http, "chat.a", "Ada")
	enter(t, near.http, "chat.a", "Ben")
	w := observe(t, near.http, "chat.a")
	w.await("Ada", "Ben")
	freeze := func(d time.Duration) {
		thaw := link.Freeze(t)
		time.Sleep(d) // how long the link is frozen is what is tested
		thaw()
	}
	freeze(5 * time.Second)
	enter(t, near.http, "chat.a", "Cleo")
	w.await("Ada", "Ben", "Cleo")
	if left := w.left(); len(left) > 0 {
		t.Errorf("left after five seconds: %q", left)
	}
	thawed := make(chan bool)
	go func() {
		freeze(time.Minute)
		close(thawed)
	}()
	w.await("Ben", "Cleo")
	if left := w.left(); !slices.Equal(left, []string{"Ada"}) {
		t.Errorf("left after a minute: %q", left)
	}
	<-thawed
	began := time.Now()
	w.await("Ada", "Ben", "Cleo")
	t.Logf("listed again after %v", time.Since(began))
	if left := w.left(); !slices.Equal(left, []string{"Ada"}) {
		t.Errorf("left: %q", left)
	}
}
