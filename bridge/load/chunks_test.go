package load_test

import (
	"bytes"
	"io"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/load"
)

var bodies = []string{
	"5\r\nhello\r\n0\r\n\r\n",
	"1\r\na\r\n2;name=\"v\"\r\nbc\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n",
	"a \r\n0123456789\r\n000\r\nTrailer: x\r\n\r\n",
	"5\nhello\n0\n\n",
	"", "\r\n", "x\r\n", "-1\r\n", "fffffffffffffffff\r\n", "5\r\nhel",
}

func TestUnchunk(t *testing.T) {
	for body, want := range map[string]string{
		bodies[0]: "hello", bodies[1]: "abcabcdefghijklmnopqrstuvwxyz", bodies[2]: "0123456789", bodies[3]: "hello",
	} {
		for size := range len(body) {
			got, _, err := load.Unchunk(slices.Collect(slices.Chunk([]byte(body), size+1))...)
			if err != nil || string(got) != want {
				t.Errorf("%q in pieces of %d: %q, %v", body, size+1, got, err)
			}
		}
	}
}

func TestUnchunkTellsTheEnd(t *testing.T) {
	for body, want := range map[string]bool{bodies[0]: true, bodies[1]: false, bodies[2]: true} {
		if _, ended, err := load.Unchunk([]byte(body)); err != nil || ended != want {
			t.Errorf("%q: ended is %t, %v", body, ended, err)
		}
	}
	for _, wrong := range []string{"x\r\n", "\r\n", "-1\r\n", strings.Repeat("f", 17) + "\r\n"} {
		if _, _, err := load.Unchunk([]byte(wrong)); err == nil {
			t.Errorf("%q passes", wrong)
		}
	}
}

// FuzzUnchunk proves that it does not matter where a body is cut, and that the result is that of net/http.
func FuzzUnchunk(f *testing.F) {
	for _, body := range bodies {
		f.Add([]byte(body), uint(3))
	}
	f.Fuzz(func(t *testing.T, body []byte, size uint) {
		whole, ended, err := load.Unchunk(bytes.Clone(body))
		pieces, endedToo, errToo := load.Unchunk(slices.Collect(slices.Chunk(bytes.Clone(body), int(size%64)+1))...)
		if !bytes.Equal(whole, pieces) || ended != endedToo || (err == nil) != (errToo == nil) {
			t.Errorf("whole: %q %t %v; in pieces: %q %t %v", whole, ended, err, pieces, endedToo, errToo)
		}
		if want, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body))); err == nil && !bytes.Equal(whole, want) {
			t.Errorf("%q, want %q", whole, want)
		}
	})
}

func TestReadHead(t *testing.T) {
	for _, test := range []struct {
		name, got string
		over      bool
		open      bool
		body      int
		says      string // the error; "" for none
	}{
		{name: "not complete", got: "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"},
		{name: "a stream", got: "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hi\n", open: true, body: 5},
		{name: "in chunks", got: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", open: true, body: 3},
		{name: "a refusal, to be continued", got: "HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nnot"},
		{name: "a refusal", got: "HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nnot you", says: "403 Forbidden: not you"},
		{name: "a refusal that was cut", got: "HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nnot", over: true, says: "403 Forbidden: not"},
		{name: "a page", got: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", says: "page"},
		{name: "something else", got: "SSH-2.0-server\r\n\r\n", says: "not an HTTP response"},
		{name: "the end", got: "HTTP/1.1 2", over: true, says: "not an HTTP response"},
	} {
		open, body, err := load.ReadHead(test.got, test.over)
		failed := err != nil && (test.says == "" || !strings.Contains(err.Error(), test.says))
		if open != test.open || body != test.body || failed || err == nil && test.says != "" {
			t.Errorf("%s: open %t, body %d, %v", test.name, open, body, err)
		}
	}
}

func FuzzReadHead(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false)
	f.Add("HTTP/1.1 500 Oops\r\nContent-Length: 70000\r\n\r\nno", true)
	f.Fuzz(func(t *testing.T, got string, over bool) {
		open, body, err := load.ReadHead(got, over)
		if body < 0 || body > len(got) || open && err != nil || over && !open && err == nil {
			t.Errorf("open %t, body %d of %d, %v", open, body, len(got), err)
		}
	})
}
