package main

import (
	"bytes"
	"flag"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// root is the repository, relative to this package.
var root = filepath.Join("..", "..")

var soak = flag.Bool("soak", false, "run every load of the comparison instead of one")

// The comparison runs with everything that is installed, so small and short that its figures mean nothing. The short form runs
// one load over every server, without the pause: the other loads differ only in flags of bench, which has its own tests.
func TestCompare(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are measured on Linux alone")
	}
	t.Chdir(root)
	raw := filepath.Join(t.TempDir(), "raw.jsonl")
	var out, progress bytes.Buffer
	began := time.Now()
	args := []string{"-rounds=1", "-duration=30ms", "-settle=10ms", "-divide=100", "-raw", raw}
	if !*soak {
		args = append(args, "-only="+oneInFlight)
	}
	err := run(t.Context(), args, &out, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	t.Logf("it took %v\n%s", time.Since(began), &progress)
	m, err := readResults(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range servers {
		reports := m.reports[server][1]
		if reports == nil {
			t.Logf("%s is not installed", titles[server])
			continue
		}
		for _, s := range append(idle, busy...) {
			if c := (&comparison{tools: &tools{limit: "there", nginx: "there"}}); !c.runs(&s, server) || !*soak && s.name != oneInFlight {
				continue
			}
			sample := reports[s.name]
			if sample == nil || sample.Report.Server == nil {
				t.Errorf("%s, %s: nothing was measured", s.name, titles[server])
				continue
			}
			switch report := sample.Report; {
			case report.Publisher != "none" && report.Deliveries.Received == 0:
				t.Errorf("%s, %s: nothing arrived", s.name, titles[server])
			case report.Deliveries.Lost+report.Deliveries.Duplicates+report.Deliveries.Disordered > 0:
				t.Errorf("%s, %s: %+v", s.name, titles[server], report.Deliveries)
			}
		}
	}
	if !strings.Contains(out.String(), "| 1,000 readers, one message at a time |") {
		t.Errorf("the tables are %s", &out)
	}
}

// The documents are made from the results.
func TestDocumentsAreOfTheResults(t *testing.T) {
	made, err := documents(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range made {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not of the results: go run ./cmd/compare -render", name)
		}
	}
}

func TestNumber(t *testing.T) {
	for _, test := range []struct {
		value  float64
		digits int
		want   string
	}{
		{0, 0, "0"},
		{999, 0, "999"},
		{1000, 0, "1,000"},
		{1234567.891, 2, "1,234,567.89"},
		{-123.4, 1, "-123.4"},
		{-1234, 0, "-1,234"},
	} {
		if got := number(test.value, test.digits); got != test.want {
			t.Errorf("number(%v, %d) = %s, want %s", test.value, test.digits, got, test.want)
		}
	}
}

func TestMedian(t *testing.T) {
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("of three: %v", got)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("of four: %v", got)
	}
}

// A connection that the server closes while data is unread is counted; an open connection is not.
func TestUnseen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("connections are listed on Linux alone")
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if n := unseen(port); n != 0 {
		t.Errorf("%d of an open connection", n)
	}
	if err := server.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for err == nil { // until the client's buffers are full
		_, err = server.Write(make([]byte, 64<<10))
	}
	server.Close()
	if n := unseen(port); n != 1 {
		t.Errorf("%d of a connection that the server has closed, want 1", n)
	}
}
