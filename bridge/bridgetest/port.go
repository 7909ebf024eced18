package bridgetest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// The system gives away ports from 32768 on by itself (49152 on others than Linux), to whoever listens on port 0 or connects. A port from there
// could be another test's by the time it is used.
const firstPort, ports = 10_000, 22_000

var usedPorts sync.Map // by this process

// FreePort returns a port of loopback on which nothing listens, and which this process is given once.
func FreePort(t testing.TB) int {
	t.Helper()
	var failed error
	for range ports {
		port := firstPort + rand.N(ports)
		if _, isUsed := usedPorts.LoadOrStore(port, true); isUsed {
			continue
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			listener.Close()
			return port
		}
		failed = err
	}
	t.Fatalf("no port of loopback is free: %v", failed)
	return 0
}
