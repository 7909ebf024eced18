package load_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/load"
)

// patience is how long these tests wait. A test that passes never waits so long.
const patience = 30 * time.Second

// overBothClients runs a test with the client of this system, and with the client for every system.
func overBothClients(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Run("of this system", test)
	t.Run("plain", func(t *testing.T) {
		defer load.UsePlainClient()()
		test(t)
	})
}

func measure(t *testing.T, plan load.Plan) *load.Report {
	t.Helper()
	report, err := load.Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// verdict returns the deliveries of a report, without figures that differ from run to run.
func verdict(r *load.Report) load.Deliveries {
	d := r.Deliveries
	d.PerSecond, d.Bytes = 0, 0
	return d
}

func TestFaithfulServer(t *testing.T) {
	overBothClients(t, func(t *testing.T) {
		for name, change := range map[string]func(*load.Plan){
			"at a pace":        func(*load.Plan) {},
			"one at a time":    func(p *load.Plan) { p.Rate, p.InFlight = 0, 1 },
			"several at once":  func(p *load.Plan) { p.Rate, p.InFlight = 0, 7 },
			"several subjects": func(p *load.Plan) { p.Subjects, p.Connections = 4, 20 },
			"as small as can be": func(p *load.Plan) {
				p.Size, p.Rate, p.InFlight, p.Subjects = load.MinSize, 0, 3, 5
			},
		} {
			t.Run(name, func(t *testing.T) {
				plan := startServer(t, faithful).plan()
				change(&plan)
				report := measure(t, plan)
				each := plan.Messages * plan.Connections / plan.Subjects
				if got, want := verdict(report), (load.Deliveries{Expected: each, Received: each}); got != want {
					t.Errorf("it says %+v, want %+v", got, want)
				}
				if c := report.Connections; c.Opened != plan.Connections || c.Closed != 0 {
					t.Errorf("connections: %+v", c)
				}
				if l := report.Latency; l == nil || l.P50 <= 0 || l.Max < l.P99 || l.Max > patience.Seconds()*1000 {
					t.Errorf("latency: %+v", l)
				}
				if m := report.Messages; m.Published != plan.Messages || m.Failed != 0 || report.Publisher != "post" || len(report.Notes) > 0 {
					t.Errorf("messages: %+v by %s, notes: %v", m, report.Publisher, report.Notes)
				}
			})
		}
	})
}

func TestDoctoredServer(t *testing.T) {
	const all = 5 * 20
	overBothClients(t, func(t *testing.T) {
		for _, test := range []struct {
			name   string
			treat  treatment
			want   load.Deliveries
			closed int
		}{
			{"loses one", only(2, 7, func(string) (string, bool) { return "", false }), load.Deliveries{Expected: all, Received: all - 1, Lost: 1}, 0},
			{"loses every second", func(reader, n int, f string) (string, bool) {
				if reader == 2 && n%2 == 0 && n < 20 {
					return "", false
				}
				return f, false
			}, load.Deliveries{Expected: all, Received: all - 9, Lost: 9}, 0},
			{"doubles one", only(2, 7, func(f string) (string, bool) { return f + f, false }), load.Deliveries{Expected: all, Received: all, Duplicates: 1}, 0},
			{"swaps two", swap(2, 7), load.Deliveries{Expected: all, Received: all, Disordered: 1}, 0},
			{"closes a connection", only(2, 7, func(f string) (string, bool) { return f, true }), load.Deliveries{Expected: all - 13, Received: all - 13}, 1},
			{"tells a gap and a reset", only(2, 7, func(f string) (string, bool) {
				return "event: tailwater:gap\ndata: {}\n\n" + f + "event: tailwater:reset\ndata: {}\n\n", false
			}), load.Deliveries{Expected: all, Received: all, Gaps: 1, Resets: 1}, 0},
			{"misdirects one", only(2, 7, func(f string) (string, bool) {
				number := len("data: ~twTESTS") // the subject's number follows the tag
				return f + f[:number] + "00000f" + f[number+6:], false
			}), load.Deliveries{Expected: all, Received: all, Misdirected: 1}, 0},
		} {
			t.Run(test.name, func(t *testing.T) {
				for pace, change := range map[string]func(*load.Plan){
					"at a pace": func(*load.Plan) {},
					"in flight": func(p *load.Plan) { p.Rate, p.InFlight = 0, 3 },
				} {
					plan := startServer(t, test.treat).plan()
					change(&plan)
					report := measure(t, plan)
					if got := verdict(report); got != test.want || report.Connections.Closed != test.closed {
						t.Errorf("%s: it says %+v and %d closed, want %+v and %d", pace, got, report.Connections.Closed, test.want, test.closed)
					}
				}
			})
		}
	})
}

// Connections are divided among the servers in turn.
func TestSeveralServers(t *testing.T) {
	overBothClients(t, func(t *testing.T) {
		s := startServer(t, faithful)
		var asked atomic.Int32
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			s.Config.Handler.ServeHTTP(w, r)
		}))
		defer other.Close()
		plan := s.plan()
		plan.URLs = append(plan.URLs, other.URL+"/events/{subject}")
		report := measure(t, plan)
		if got, want := verdict(report), (load.Deliveries{Expected: 100, Received: 100}); got != want || asked.Load() != 2 {
			t.Errorf("it says %+v, want %+v; %d connections went to the second server, want 2", got, want, asked.Load())
		}
		if report.URL != strings.Join(plan.URLs, " ") {
			t.Errorf("it names %q", report.URL)
		}
	})
}

// Messages on subjects that nobody reads are published, and nobody is expected to receive them.
func TestSubjectsThatNobodyReads(t *testing.T) {
	for name, inFlight := range map[string]int{"at a pace": 0, "in flight": 3} {
		plan := startServer(t, faithful).plan()
		plan.Subjects, plan.InFlight = 10, inFlight
		if inFlight > 0 {
			plan.Rate = 0
		}
		report := measure(t, plan)
		if got, want := verdict(report), (load.Deliveries{Expected: 10, Received: 10}); got != want || report.Messages.Published != 20 || !mentions(report.Notes, "5 of 10 subjects") {
			t.Errorf("%s: it says %+v %+v %v", name, report.Messages, got, report.Notes)
		}
	}
}

// A lost last message cannot be noticed at once: no later message follows.
func TestTheLastMessageIsLost(t *testing.T) {
	lose := only(2, 20, func(string) (string, bool) { return "", false })
	for name, inFlight := range map[string]int{"at a pace": 0, "in flight": 3} {
		plan := startServer(t, lose).plan()
		plan.Patience = 300 * time.Millisecond
		if inFlight > 0 {
			plan.Rate, plan.InFlight = 0, inFlight
		}
		if report := measure(t, plan); report.Deliveries.Lost != 1 {
			t.Errorf("%s: it says %+v", name, report.Deliveries)
		}
	}
}

// A window stops if a message is lost and no later one can be published before it arrives.
func TestWindowStandsStill(t *testing.T) {
	plan := startServer(t, only(2, 7, func(string) (string, bool) { return "", false })).plan()
	plan.Rate, plan.InFlight, plan.Patience = 0, 1, 300*time.Millisecond
	report := measure(t, plan)
	if report.Deliveries.Lost != 1 || report.Messages.Published != 7 || !mentions(report.Notes, "nothing arrived") {
		t.Errorf("it says %+v %+v %v", report.Messages, report.Deliveries, report.Notes)
	}
}

func TestPublishingFails(t *testing.T) {
	for name, inFlight := range map[string]int{"at a pace": 0, "in flight": 1} {
		s := startServer(t, faithful)
		posts := 0 // of one subject, one after another
		plan := s.plan()
		plan.Post = refusing(t, func(w http.ResponseWriter, r *http.Request) {
			if posts++; posts == 5 {
				http.Error(w, "not this one", http.StatusServiceUnavailable)
				return
			}
			r.SetPathValue("subject", "bench.0")
			s.publish(w, r)
		})
		if inFlight > 0 {
			plan.Rate, plan.InFlight = 0, inFlight
		}
		report := measure(t, plan)
		m, d := report.Messages, report.Deliveries
		if m.Published != 20 || m.Failed != 1 || d.Received != 19*5 || d.Lost != 0 || !mentions(report.Notes, "503 Service Unavailable: not this one") {
			t.Errorf("%s: it says %+v %+v %v", name, m, d, report.Notes)
		}
	}
}

func mentions(texts []string, want string) bool {
	return strings.Contains(strings.Join(texts, "\n"), want)
}

// If nothing can be measured, the error says why.
func TestErrors(t *testing.T) {
	s := startServer(t, faithful)
	for _, test := range []struct {
		name   string
		change func(*load.Plan)
		says   string
	}{
		{"refused", func(p *load.Plan) {
			p.URLs = []string{refusing(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not you", http.StatusForbidden) })}
		}, "403 Forbidden: not you"},
		{"no event stream", func(p *load.Plan) {
			p.URLs = []string{refusing(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("welcome")) })}
		}, "welcome"},
		{"nobody there", func(p *load.Plan) { p.URLs = []string{"http://127.0.0.1:1/{subject}"} }, "refused"},
		{"silence", func(p *load.Plan) {
			p.URLs = []string{refusing(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })}
		}, "got no answer"},
		{"publishing is refused", func(p *load.Plan) { p.Post = s.URL + "/nowhere" }, "404"},
		{"published elsewhere", func(p *load.Plan) { p.Post = s.URL + "/events/elsewhere" }, "5 of 5 connections got no message"},
		{"ends at once", func(p *load.Plan) {
			p.URLs = []string{refusing(t, func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() })}
		}, "closed every connection"},
		{"no process", func(p *load.Plan) { p.PIDs = []int{1 << 30} }, "process"},
	} {
		t.Run(test.name, func(t *testing.T) {
			overBothClients(t, func(t *testing.T) {
				plan := s.plan()
				plan.Patience = 300 * time.Millisecond
				test.change(&plan)
				_, err := load.Run(t.Context(), plan)
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("the error is %v", err)
				}
			})
		})
	}
}

func TestStalledConnections(t *testing.T) {
	overBothClients(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			treat    treatment
			closed   bool
			received int
		}{
			"are left alone": {faithful, false, 5 * 20},
			"are cut":        {func(_, n int, frame string) (string, bool) { return frame, n == 2 }, true, 5 * 2},
		} {
			plan := startServer(t, test.treat).plan()
			plan.Stalled, plan.Rate = 3, 100
			report := measure(t, plan)
			want := load.Connections{Asked: 5, Opened: 5, Stalled: 3}
			if test.closed {
				want.Closed, want.StalledClosed = 5, 3
			}
			c, d := report.Connections, report.Deliveries
			if c.OpenSeconds = 0; c != want {
				t.Errorf("those that %s: %+v", name, c)
			}
			if d.Received != test.received || d.Lost != 0 {
				t.Errorf("those that %s: %+v", name, d)
			}
		}
	})
}

func TestMachineLimits(t *testing.T) {
	t.Run("files", func(t *testing.T) {
		defer load.LimitFiles(load.SpareFiles + 3)()
		report := measure(t, startServer(t, faithful).plan())
		if c := report.Connections; c.Asked != 5 || c.Opened != 3 || !mentions(report.Limits, "only 3 of 5 connections") || !mentions(report.Limits, "ulimit") {
			t.Errorf("connections: %+v, limits: %v", c, report.Limits)
		}
	})
	t.Run("too few files for all subjects", func(t *testing.T) {
		defer load.LimitFiles(load.SpareFiles + 3)()
		plan := startServer(t, faithful).plan()
		plan.Subjects = 5
		if _, err := load.Run(t.Context(), plan); err == nil || !strings.Contains(err.Error(), "ulimit") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("pace", func(t *testing.T) {
		plan := startServer(t, faithful).plan()
		plan.Rate, plan.Messages = 1e6, 2000 // one after another, these take longer
		report := measure(t, plan)
		if !mentions(report.Limits, "fell behind its rate") || report.Generator.BehindMax <= 0 {
			t.Errorf("limits: %v, %+v", report.Limits, report.Generator)
		}
	})
}

func TestSeveralLocalAddresses(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems do not have 127.0.0.2 by default")
	}
	overBothClients(t, func(t *testing.T) {
		defer load.LimitPorts(4)()
		s := startServer(t, faithful)
		plan := s.plan()
		plan.Connections = 10
		measure(t, plan)
		if want := map[string]int{"127.0.0.1": 4, "127.0.0.2": 4, "127.0.0.3": 2}; !reflect.DeepEqual(s.sources, want) {
			t.Errorf("connections came from %v, want %v", s.sources, want)
		}
	})
}

// An end that was asked for is not a failure, and no message in flight counts as lost.
func TestEndedEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	plan := startServer(t, func(_, n int, frame string) (string, bool) {
		if n == 30 {
			cancel()
		}
		return frame, false
	}).plan()
	plan.Messages, plan.Rate = 0, 200
	report, err := load.Run(ctx, plan)
	if err != nil {
		t.Fatal(err)
	}
	if d := report.Deliveries; !mentions(report.Notes, "ended early") || d.Received < 5*30 || d.Lost > 0 || d.Received != 5*report.Messages.Published {
		t.Errorf("it says %+v %+v %v", report.Messages, d, report.Notes)
	}
}

func TestIdle(t *testing.T) {
	plan := startServer(t, faithful).plan()
	plan.Idle, plan.Post, plan.Rate = true, "", 0
	if runtime.GOOS == "linux" {
		plan.PIDs = []int{os.Getpid(), os.Getppid()}
	}
	report := measure(t, plan)
	if report.Publisher != "none" || report.Messages.Published != 0 || report.Connections.Opened != 5 || report.Latency != nil {
		t.Errorf("it says %+v", report)
	}
	if s := report.Server; s != nil && (s.RSSBefore < 1<<20 || s.RSSOpen < 1<<20 || s.RSSPeak < s.RSSOpen) {
		t.Errorf("the server: %+v", s)
	}
	if s := report.Server; s != nil {
		if len(s.Processes) != 2 || s.Processes[1].PID != os.Getppid() || s.Processes[0].RSSOpen+s.Processes[1].RSSOpen != s.RSSOpen {
			t.Errorf("the processes: %+v", s.Processes)
		}
	}
}

// The processor time of this process is at least that of the generator, which is part of it.
func TestServerIsMeasured(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are measured on Linux alone")
	}
	plan := startServer(t, faithful).plan()
	plan.PIDs, plan.Messages, plan.Connections, plan.Rate, plan.InFlight = []int{os.Getpid()}, 600, 20, 0, 10
	report := measure(t, plan)
	const tick = 0.01 // resolution of the kernel's count, in seconds
	if s, g := report.Server, report.Generator; s.CPUSeconds+2*tick < g.CPUSeconds || s.CPUPerDelivery <= 0 || s.CPUPerMessage <= s.CPUPerDelivery || s.RSSEnd == 0 {
		t.Errorf("server: %+v, generator: %+v", s, g)
	}
	if p := report.Server.Processes; len(p) != 1 || p[0].CPUSeconds != report.Server.CPUSeconds {
		t.Errorf("processes: %+v, of %v s", p, report.Server.CPUSeconds)
	}
	if g := report.Generator; g.Busy < 0 || g.Busy > 1 || g.Machine < 0 || g.Machine > 1 {
		t.Errorf("generator: %+v", g)
	}
}
