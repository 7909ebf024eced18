package load_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/load"
)

func TestPlansAreChecked(t *testing.T) {
	dial := func() (*nats.Conn, error) { return nil, errors.ErrUnsupported }
	for _, test := range []struct {
		name   string
		change func(*load.Plan)
		says   []string // empty if the plan is valid
	}{
		{"good", func(*load.Plan) {}, nil},
		{"everything", func(p *load.Plan) { *p = load.Plan{Post: "x"} }, []string{"--url", "--subject", "--post", "--rate", "--connections", "--subjects", "--size", "--patience"}},
		{"https", func(p *load.Plan) { p.URLs = []string{"https://example.com/"} }, []string{"https is not supported"}},
		{"https to publish", func(p *load.Plan) { p.Dial, p.Post = nil, "https://example.com/" }, nil},
		{"no scheme", func(p *load.Plan) { p.URLs = []string{"127.0.0.1:8080/events"} }, []string{"--url"}},
		{"one URL for several", func(p *load.Plan) { p.URLs, p.Subjects = []string{"http://127.0.0.1/"}, 2 }, []string{"--url", "{subject}"}},
		{"one POST for several", func(p *load.Plan) { p.Dial, p.Post, p.Subjects = nil, "http://127.0.0.1/", 2 }, []string{"--post", "{subject}"}},
		{"one subject for several", func(p *load.Plan) { p.Subject, p.Subjects = "bench", 2 }, []string{"--subject", "{n}"}},
		{"wildcard", func(p *load.Plan) { p.Subject = "bench.>" }, []string{"--subject"}},
		{"two publishers", func(p *load.Plan) { p.Post = "http://127.0.0.1/" }, []string{"--nats and --post"}},
		{"no publisher", func(p *load.Plan) { p.Dial = nil }, []string{"--nats or --post"}},
		{"two paces", func(p *load.Plan) { p.InFlight = 2 }, []string{"--rate and --in-flight"}},
		{"too many in flight", func(p *load.Plan) { p.Rate, p.InFlight = 0, 1<<30 }, []string{"--in-flight"}},
		{"no time", func(p *load.Plan) { p.Duration = 0 }, []string{"--duration"}},
		{"idle publisher", func(p *load.Plan) { p.Idle = true }, []string{"--idle"}},
		{"idle pace", func(p *load.Plan) { p.Idle, p.Dial = true, nil }, []string{"--idle", "--rate"}},
		{"idle", func(p *load.Plan) { p.Idle, p.Dial, p.Rate = true, nil, 0 }, nil},
		{"subjects without a connection", func(p *load.Plan) { p.Subjects = 20 }, nil},
		{"several servers", func(p *load.Plan) { p.URLs = append(p.URLs, "http://127.0.0.2/{subject}") }, nil},
		{"one of several is none", func(p *load.Plan) { p.URLs = append(p.URLs, "127.0.0.2/{subject}") }, []string{"--url=127.0.0.2"}},
		{"a server without connections", func(p *load.Plan) { p.URLs, p.Connections = append(p.URLs, p.URLs[0]), 1 }, []string{"--url", "--connections is 1"}},
		{"header", func(p *load.Plan) { p.Header = []string{"A: b", "Authorization"} }, []string{"--header", "Authorization"}},
		{"header with a line end", func(p *load.Plan) { p.Header = []string{"A: b\nC: d"} }, []string{"--header"}},
		{"below nothing", func(p *load.Plan) { p.Stalled, p.Messages, p.Settle = -1, -1, -1 }, []string{"--stalled", "--messages", "--settle"}},
	} {
		plan := load.Plan{
			URLs: []string{"http://127.0.0.1/{subject}"}, Subject: "bench.{n}", Dial: dial, Connections: 10, Subjects: 1,
			Size: 128, Rate: 1, Duration: time.Second, Patience: time.Second,
		}
		test.change(&plan)
		err := plan.Check()
		if (err == nil) != (test.says == nil) {
			t.Errorf("%s: the error is %v", test.name, err)
		}
		for _, want := range test.says {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: it does not mention %s: %v", test.name, want, err)
			}
		}
	}
}
