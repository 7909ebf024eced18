package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// What browsers and programs really use has to resume across a restart as the tests' own client does.

// watch is a program for both: it tells what an EventSource does, one object for each time.
const watch = `
const source = new EventSource(url);
source.onopen = () => tell({kind: "open"});
source.onerror = () => source.readyState === EventSource.CLOSED && tell({kind: "closed"});
for (const type of ["message", "tailwater:open", "tailwater:gap", "tailwater:reset", "tailwater:binary", "tailwater:close"])
	source.addEventListener(type, e => tell({kind: "event", type, data: e.data, id: e.lastEventId}));
`

// told is such an object.
type told struct{ Kind, Type, Data, ID string }

// note writes it down, and tells whether it was the last message.
func (w told) note(log *bridgetest.Log, lastID *string) (end bool) {
	switch w.Kind {
	case "open":
		log.Connected("the bridge", *lastID)
	case "closed":
		log.Broke("the EventSource is closed for good")
	default:
		*lastID = w.ID
		log.Saw(bridgetest.Event{Type: w.Type, Data: w.Data, ID: w.ID})
	}
	return w.Data == theEnd
}

// restartUnder publishes, kills the bridge, publishes what it cannot bring, starts it again, and in the end publishes the
// end. isBack waits for so many connections.
func restartUnder(t *testing.T, s *streamBed, isBack func(connections int)) {
	t.Helper()
	send := byNATS(t, s.server.URL())
	burst := func(kind string) {
		for i := range 50 {
			s.send("chat.a", "", message(kind, i, s.chaos), send)
		}
	}
	for round := range length(1, 5) {
		isBack(1 + round)
		burst("before")
		s.bridge.kill()
		burst("away")
		s.bridge.start()
		burst("after")
	}
	isBack(1 + length(1, 5))
	s.send("chat.a", "", theEnd, send)
}

// The package eventsource from npm.
func TestChaosNodeResumes(t *testing.T) {
	dir := installEventSource(t)
	s := startStreamBed(t, nil)
	program := filepath.Join(dir, "watch.mjs")
	text := `import {EventSource} from "eventsource";
const url = process.argv[2], tell = object => console.log(JSON.stringify(object));` + watch
	if err := os.WriteFile(program, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(s.ctx, "node", program, "http://"+s.bridge.address+"/events/chat.a")
	node.Stderr = t.Output()
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = node.Process.Kill()
		_ = node.Wait()
	})
	log, lastID := s.ledger.NewLog("node", false, "chat.a"), ""
	var connections atomic.Int64
	lines := bufio.NewScanner(out)
	read := func() (end bool) {
		if !lines.Scan() {
			t.Errorf("node has ended: %v", lines.Err())
			return true
		}
		var w told
		decode(t, lines.Text(), &w)
		if w.Kind == "open" {
			connections.Add(1)
		}
		return w.note(log, &lastID)
	}
	for lastID == "" && !read() {
	}
	s.reading.Go(func() {
		for !read() {
		}
	})
	restartUnder(t, s, func(n int) {
		s.await("node is back", func() bool { return connections.Load() >= int64(n) })
	})
	s.finish(bridgetest.Rules{})
}

// installEventSource gives a folder with the package, from the registry that npm knows.
func installEventSource(t *testing.T) (dir string) {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no npm; .ci/run installs Debian's packages nodejs and npm")
		}
		t.Skip("there is no npm here; install Node.js to test its EventSource")
	}
	dir = t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "eventsource@4.1.1")
	install.Dir = dir
	install.WaitDelay = time.Second
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("the npm package eventsource cannot be had here: %v\n%s", err, out)
	}
	return dir
}

// Chromium's own, in a page of the bridge. It is a part of TestInTheBrowser.
func testResume(t *testing.T, browser context.Context) {
	s := openStreamBed(t, newChaos(t), nil)
	page := openTab(t, browser, "http://"+s.bridge.address+"/clock")
	start := `window.seen = []; { const url = "/events/chat.a", tell = object => seen.push(object);` + watch + `}; true`
	if _, err := chromedp.Run(page.ctx, chromedp.Evaluate[bool](start)); err != nil {
		t.Fatal(err)
	}
	page.waitFor(`seen.some(e => e.kind === "event")`)
	restartUnder(t, s, func(n int) {
		page.waitFor(fmt.Sprintf(`seen.filter(e => e.kind === "open").length >= %d`, n))
	})
	page.waitFor(`seen.some(e => e.data === "` + theEnd + `" || e.kind === "closed")`)
	text, err := chromedp.Run(page.ctx, chromedp.Evaluate[string](`JSON.stringify(seen)`))
	if err != nil {
		t.Fatal(err)
	}
	var all []told
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	log, lastID := s.ledger.NewLog("chromium", false, "chat.a"), ""
	for _, w := range all {
		w.note(log, &lastID)
	}
	s.finish(bridgetest.Rules{})
}
