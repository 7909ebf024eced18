//go:build unix

package clients

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// fault is something that clients have to live with.
type fault struct {
	name     string
	title    string // in the documentation
	query    string // of the URL that clients read
	settings map[string]string
	asJSON   bool // it reads format=json
	proxied  bool // nginx stands in front of the bridge
	alone    bool // it keeps the machine busy
	happen   func(w *world)
}

var faults = []fault{
	{
		name: "age", title: "connection age", query: "?since=all",
		settings: map[string]string{"LIMIT_CONNECTION_AGE": "1s"},
		// Eleven times, because some clients count their failures and give up at ten.
		happen: func(w *world) {
			for range 11 {
				w.awaitReturns(func() { w.publish(w.numbered(3)...) })
			}
		},
	},
	{
		name: "drain", title: "graceful restart",
		settings: map[string]string{"DRAIN_WINDOW": "1s"},
		happen:   func(w *world) { w.restarts(w.bridge, syscall.SIGTERM) },
	},
	{
		name: "kill", title: "`kill -9`",
		happen: func(w *world) { w.restarts(w.bridge, syscall.SIGKILL) },
	},
	{
		name: "proxy", title: "proxy restart", proxied: true,
		happen: func(w *world) { w.restarts(w.proxy, syscall.SIGTERM) },
	},
	{
		name: "proxied age", title: "age behind a proxy", query: "?since=all", proxied: true,
		settings: map[string]string{"LIMIT_CONNECTION_AGE": "2s"},
		happen: func(w *world) {
			for range 2 {
				w.awaitReturns(func() { w.publish(w.numbered(3)...) })
			}
		},
	},
	{
		name: "events", title: "10,000 events", alone: true,
		happen: func(w *world) { w.publish(w.numbered(10_000)...) },
	},
	{
		name: "raw", title: "odd bytes",
		happen: func(w *world) { w.publish(oddPayloads...) },
	},
	{
		name: "json", title: "the same as JSON", query: "?format=json", asJSON: true,
		happen: func(w *world) { w.publish(oddPayloads...) },
	},
	{
		name: "large", title: "one event of 100 KiB, with `?max=60KiB`", query: "?max=60KiB",
		happen: func(w *world) {
			w.publish(w.numbered(1)...)
			large := strings.Repeat("large ", 100<<10/6)
			w.publish(large)
			w.sent = w.sent[:len(w.sent)-1] // nobody is owed it: they get tailwater:large in its place
			w.publish(w.numbered(1)...)
		},
	},
	{
		name: "idle", title: "a minute of silence",
		happen: func(w *world) {
			w.awaitHeartbeats(4)
			w.publish(w.numbered(1)...)
			w.await("no return in silence", func(s *seat) bool {
				returns, _ := s.witness.returns()
				return returns == 0
			})
		},
	},
}

// oddPayloads are those that line-based formats, and parsers of them, have trouble with.
var oddPayloads = []string{
	"first",
	"two\nlines",
	"CR LF\r\nand CR\ralone",
	"an empty line\n\nin the middle",
	"\nan empty line before",
	"an empty line behind\n",
	"\n",
	"",
	" a blank before",
	"a blank behind ",
	"data: no field\nid: 7\nevent: no name\nretry: 1",
	": no comment",
	"no colon",
	"NUL \x00 inside",
	"line separators \u2028 and \u2029, next line \u0085, vertical tab \v, form feed \f",
	"\ufeffa byte order mark before",
	"beyond 16 bits: \U0001f30a \U0001d4b3",
	"no text: \xff\xfe\x80",
	"half a letter: \xe2\x82",
	"tab \t, escape \x1b and delete \x7f",
	`{"json":"\u0000 \" \\"}`,
	"<b>markup</b> & quotes \" '",
	"last",
}

// restarts ends a process twice, publishes meanwhile, and starts it again: at first in silence, behind a heartbeat.
func (w *world) restarts(p *process, signal syscall.Signal) {
	for n := range 2 {
		w.publish(w.numbered(20)...)
		w.awaitAll()
		if n == 0 {
			w.awaitHeartbeats(1)
		}
		w.awaitReturns(func() {
			p.end(signal)
			w.publish(w.numbered(20)...)
			p.start()
		})
		w.publish(w.numbered(20)...)
	}
}

func (w *world) numbered(n int) (payloads []string) {
	for i := range n {
		payloads = append(payloads, fmt.Sprint(w.name, " ", strconv.Itoa(len(w.sent)+i+1)))
	}
	return payloads
}
