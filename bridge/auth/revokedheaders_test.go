package auth_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// An entry whose headers cannot be decoded revokes what it names, and hides no other.
func TestRevocationWithBrokenHeaders(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	_, kv := bucket(t, server)
	put(t, kv, "jti.t1")
	conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", server.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	header := "NATS/1.0\r\nno colon\r\n\r\n"
	fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"headers\":true}\r\nHPUB $KV.%s.jti.t2 %d %d\r\n%s\r\nPING\r\n", auth.RevokedBucket, len(header), len(header), header)
	for in := bufio.NewReader(conn); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "PONG") {
			break
		}
	}
	put(t, kv, "jti.t3")
	n := startNode(t, server)
	n.becomes(t, "in no entry", token(t, "x", "t4"), true)
	for _, jti := range []string{"t1", "t2", "t3"} {
		n.becomes(t, jti, token(t, "x", jti), false)
	}
}
