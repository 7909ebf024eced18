//go:build unix

package clients

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// witness stands between one client and the bridge, passes on every byte and every end as it came, and notes what both
// say: with which position the client returned, and how the bridge began its answer.
type witness struct {
	net.Listener
	to      string
	running sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	conns    []net.Conn
	requests []string // the Last-Event-ID of each GET
	openings []string // the first event of each answer: open, gap or reset
	quiet    int      // heartbeats on the connection that is open now
}

func startWitness(t *testing.T, to string) *witness {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{Listener: listener, to: to}
	w.running.Go(w.accept)
	t.Cleanup(func() {
		w.close()
		w.running.Wait()
	})
	return w
}

func (w *witness) accept() {
	for {
		client, err := w.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.to)
		if err != nil {
			reset(client) // as close to a refused connection as is possible now
			continue
		}
		if !w.keep(client, server) {
			return
		}
		w.running.Go(func() {
			w.hear(client, server)
			end(server, nil)
		})
		w.running.Go(func() {
			err := w.overhear(server, client)
			end(client, err)
			server.Close()
		})
	}
}

// keep reports false if the witness was closed meanwhile.
func (w *witness) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		for _, conn := range conns {
			conn.Close()
		}
		return false
	}
	w.conns = append(w.conns, conns...)
	return true
}

// hear passes on what the client sends, and notes its requests.
func (w *witness) hear(client, server net.Conn) {
	text := bufio.NewReader(io.TeeReader(client, server))
	for {
		request, err := http.ReadRequest(text)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, request.Body)
		if request.Method == http.MethodGet {
			w.note(func() {
				id := request.Header.Get("Last-Event-ID")
				if id == "" {
					id = request.URL.Query().Get("lastEventId")
				}
				w.requests = append(w.requests, id)
			})
		}
	}
}

// overhear passes on what the bridge answers, and notes what is on lines of its own, which no chunk cuts.
func (w *witness) overhear(server, client net.Conn) error {
	lines := bufio.NewReader(io.TeeReader(server, client))
	isJSON := false // newline-delimited, in which a heartbeat is an empty line
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		text := strings.TrimSpace(string(line))
		found := opening.FindStringSubmatch(text)
		switch {
		case found != nil:
			isJSON = strings.HasPrefix(text, "{")
			w.note(func() { w.openings, w.quiet = append(w.openings, found[1]), 0 })
		case text == ":", isJSON && string(line) == "\n":
			w.note(func() { w.quiet++ })
		}
	}
}

// opening is a line that begins an answer, as an event stream or as JSON.
var opening = regexp.MustCompile(`^(?:event: |\{"event":")tailwater:(open|gap|reset)(?:$|")`)

// end ends a connection as its other half ended: with FIN or RST.
func end(conn net.Conn, how error) {
	if how == nil || errors.Is(how, io.EOF) {
		_ = conn.(*net.TCPConn).CloseWrite()
		return
	}
	reset(conn)
}

func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

func (w *witness) note(what func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what()
}

// returns reports how often the client came back and was answered, and heartbeats how many came since.
func (w *witness) returns() (n, heartbeats int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.openings) - 1, w.quiet
}

func (w *witness) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.Close()
	for _, conn := range w.conns {
		conn.Close()
	}
}
