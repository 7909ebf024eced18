package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Hundreds of addresses send bodies that never end, and ask for polls and streams that they do not read. The process needs no more than MEMORY,
// as much again until Go has collected what it had, and what it needs beside that; and another address is served.
func TestMemoryOfTheProcess(t *testing.T) {
	onlySoak(t)
	const attackers, memory, beside = 200, 32 << 20, 96 << 20 // beside: Go, the embedded server with the newest blocks of its stream, and connections
	p := startProcess(t, "TAILWATER_MEMORY=32MiB", "TAILWATER_LIMIT_BODY=1MiB", "TAILWATER_HTTP_TRUSTED_PROXIES=127.0.0.1",
		"TAILWATER_ANONYMOUS_SUBSCRIBE=chat.>", "TAILWATER_ANONYMOUS_PUBLISH=chat.>")
	conn := publisher(t, p.nats)
	for range 100 {
		if _, err := conn.Request("chat.room1", make([]byte, 1<<19), patience); err != nil {
			t.Fatal(err)
		}
	}
	address := strings.TrimPrefix(p.http, "http://")
	most, before := int64(0), resident(t, p)
	begin := func(what, head, body string) {
		var sending sync.WaitGroup
		for i := range attackers {
			client, err := net.Dial("tcp", address)
			noError(t, err)
			t.Cleanup(func() { client.Close() })
			_ = client.SetDeadline(time.Now().Add(patience))
			sending.Go(func() {
				_, _ = fmt.Fprintf(client, head+" HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.0.%d.1\r\n", i)
				_, _ = io.WriteString(client, body) // who is refused is cut
			})
		}
		sending.Wait()
		expectPost(t, "beside "+what, newcomer(t, from(t, nil)), p.http+"/events/chat.room1")
		most = max(most, resident(t, p))
	}
	begin("bodies", "POST /events/chat.room1", "Content-Length: 1048576\r\n\r\n"+strings.Repeat("x", 1<<20-1))
	begin("polls", "GET /events/chat.room1?poll=1&since=all", "\r\n")
	begin("streams", "GET /events/chat.room1?since=all", "\r\n")
	t.Logf("%d MiB resident before, %d at most", before>>20, most>>20)
	if most > 2*memory+beside {
		t.Errorf("%d MiB are resident", most>>20)
	}
}
