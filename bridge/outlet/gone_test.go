package outlet_test

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge/outlet"
)

// A client that has received nothing in time gets nothing more, even if given more time: crypto/tls would wait five seconds for its last bytes,
// and keep the connection.
func TestNothingIsWrittenToWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := newPipes()
		listener := outlet.Listen(pipes, nil)
		defer listener.Close()
		mine, theirs := net.Pipe()
		defer mine.Close()
		go func() { pipes.conns <- theirs }()
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		start := time.Now()
		for range 3 {
			_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
			if _, err := conn.Write(large); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v", err)
			}
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("it stayed for %v", took)
		}
	})
}
