package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// dialRaw opens a connection that takes little, and sends a request of that many copies.
func dialRaw(t *testing.T, n *testNode, copies int, request string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", n.Address().String())
	noError(t, err)
	t.Cleanup(func() { conn.Close() })
	socket := conn.(*net.TCPConn)
	noError(t, socket.SetReadBuffer(4<<10))
	for range copies {
		if _, err := io.WriteString(socket, request); err != nil {
			t.Fatal(err)
		}
	}
	return socket
}

// Whatever clients do or do not do, a stop ends, and ends well.
func TestClientsCannotHoldUpTheStop(t *testing.T) {
	t.Parallel()
	n := startNode(t, settings{"LIMIT_WRITE_TIMEOUT": "24h", "LIMIT_BODY": "1MiB"})
	witness, _ := subscribe(t, n.URL()+"/events/chat.room1", "")
	stalled := dialRaw(t, n, 1, "GET /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if _, err := io.ReadAtLeast(stalled, make([]byte, 1), 1); err != nil {
		t.Fatal(err)
	}
	dialRaw(t, n, 500, "GET /web/chat.css HTTP/1.1\r\nHost: localhost\r\n\r\n")
	dialRaw(t, n, 1, "POST /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhel")
	large := strings.Repeat("x", 1<<19)
	for i := range 8 { // more than the sockets of the stalled client hold
		post(t, n.URL()+"/events/chat.room1", fmt.Sprint(i, large))
		if event := witness.next(); !strings.HasPrefix(event.Data, fmt.Sprint(i)) {
			t.Fatalf("message %d is %.10q", i, event.Data)
		}
	}
	n.stop(t) // fails the test if it says that something went wrong
	witness.expect("tailwater:close", `{"reason":"drain"}`)
}

func TestSecondSignalIsImmediate(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "TAILWATER_DRAIN_DELAY=1h")
	noError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	// The first signal was received: from now on connections are told to reconnect.
	eventually(t, "the process drains", func() bool {
		event, err := dial(t, p.http+"/events/chat.room1", "").Next()
		return err == nil && event.Type == "tailwater:close"
	})
	noError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	var exit *exec.ExitError
	if err := p.cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("after the second signal: %v", err)
	}
}

// While messages keep coming, a stop ends every connection behind a whole frame, with nothing missing before it.
func TestSignalUnderLoad(t *testing.T) {
	t.Parallel()
	for _, loops := range []string{"auto", "0"} {
		t.Run("loops "+loops, func(t *testing.T) {
			p := startProcess(t, "TAILWATER_HTTP_LOOPS="+loops, "TAILWATER_DRAIN_WINDOW=1s", "TAILWATER_LIMIT_PUBLISH_RATE=0")
			var readers []*subscription
			for range 40 {
				reader, _ := subscribe(t, p.http+"/events/chat.load", "")
				readers = append(readers, reader)
			}
			var publishing, reading sync.WaitGroup
			publishing.Go(func() {
				pace := time.NewTicker(5 * time.Millisecond)
				defer pace.Stop()
				for n := 0; ; n++ {
					<-pace.C
					response, err := http.Post(p.http+"/events/chat.load", "text/plain", strings.NewReader(strconv.Itoa(n)))
					if err != nil {
						return // it has stopped
					}
					response.Body.Close()
				}
			})
			var some sync.WaitGroup // until all have had a few
			some.Add(len(readers))
			for _, reader := range readers {
				hasSome := sync.OnceFunc(some.Done)
				reading.Go(func() {
					defer hasSome()
					for n := 0; ; n++ {
						event, err := reader.Next()
						if n == 20 {
							hasSome()
						}
						switch {
						case err != nil:
							t.Errorf("behind %d messages: %v", n, err)
							return
						case event.Type == "tailwater:close":
							if _, err := reader.Next(); err == nil {
								t.Error("it goes on behind its end")
							}
							return
						case event.Data != strconv.Itoa(n):
							t.Errorf("message %d is %+v", n, event)
							return
						}
					}
				})
			}
			some.Wait()
			noError(t, p.cmd.Process.Signal(syscall.SIGTERM))
			reading.Wait()
			if err := p.cmd.Wait(); err != nil {
				t.Errorf("after SIGTERM: %v", err)
			}
			publishing.Wait()
		})
	}
}

func TestStopTellsEveryConnection(t *testing.T) {
	t.Parallel()
	var log bridgetest.Output
	n := startLogged(t, nil, &log)
	var readers []*subscription
	for range 20 {
		reader, _ := subscribe(t, n.URL()+"/events/chat.room1", "")
		readers = append(readers, reader)
	}
	n.stop(t)
	for _, reader := range readers {
		reader.expect("tailwater:close", `{"reason":"drain"}`)
		if _, err := reader.Next(); err == nil {
			t.Error("the connection goes on after its end")
		}
	}
	if last := log.String(); !regexp.MustCompile(`msg=stopped took=\S+ asked_to_reconnect=20\n$`).MatchString(last) {
		t.Errorf("the log ends %q", last[max(0, len(last)-200):])
	}
}
