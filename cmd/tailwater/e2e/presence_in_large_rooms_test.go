package e2e

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// TestChaosPresenceOfLargeRoom: all of a large room are counted, on three bridges, with few writes; so they are when all leave at once.
func TestChaosPresenceOfLargeRoom(t *testing.T) {
	onlySoak(t)
	const members, bridges = 19_000, 3
	server := bridgetest.StartNATSServer(t)
	var one *process
	var hosts, admins []string
	for range bridges {
		one = startProcess(t, environ(listed(server.URL()))...)
		hosts, admins = append(hosts, strings.TrimPrefix(one.http, "http://")), append(admins, one.admin)
	}
	began := time.Now()
	var open []net.Conn
	for i := range members {
		open = append(open, enterPlainly(t, hosts[i%bridges], fmt.Sprintf("member%05d", i)))
	}
	counted := func(count int) {
		t.Helper()
		eventually(t, "all are counted", func() bool { return whoIs(t, one.http, "chat.a").Count == count })
	}
	counted(members)
	costs(t, fmt.Sprintf("%d members are counted after %v", members, time.Since(began)), admins)
	began = time.Now()
	for _, conn := range open {
		conn.Close()
	}
	counted(0)
	costs(t, fmt.Sprintf("all have left after %v", time.Since(began)), admins)
}

// enterPlainly opens a connection that costs the test little: nothing of it is read.
func enterPlainly(t *testing.T, host, name string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	if errors.Is(err, syscall.EMFILE) {
		t.Skip("a process may not have enough descriptors here (ulimit -n)")
	}
	noError(t, err)
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprintf(conn, "GET /events/chat.a?name=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", name); err != nil {
		t.Fatal(err)
	}
	return conn
}
