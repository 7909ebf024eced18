package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/load"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// benchCommand puts load on a server. It reads no settings: the server need not be a bridge, nor on this machine.
type benchCommand struct {
	URL     []string `sep:"none" default:"http://127.0.0.1:8080/events/{subject}" placeholder:"URL" help:"URL of the event streams, where {subject} stands for the subject (${default}). Any server of event streams can be measured. If it is repeated, the connections are divided among the servers."`
	Header  []string `sep:"none" placeholder:"'NAME: VALUE'" help:"A header of the reading requests; can be repeated."`
	Subject string   `default:"bench.{n}" placeholder:"SUBJECT" help:"Subjects, where {n} stands for their number from 0 (${default})."`

	NATS        string `name:"nats" placeholder:"URL" help:"Publish over NATS, to this server (nats://127.0.0.1:4222, if no publisher is given)."`
	NATSContext string `name:"nats-context" placeholder:"NAME" help:"Publish over NATS, with this context of the nats command."`
	NATSCreds   string `name:"nats-creds" placeholder:"FILE" help:"Credentials file for signing in to NATS."`
	Post        string `placeholder:"URL" help:"Publish by POST to this URL, where {subject} stands for the subject."`

	Connections int `default:"100" placeholder:"N" help:"Reading connections, divided among the subjects (${default})."`
	Subjects    int `default:"1" placeholder:"N" help:"Subjects to publish on in turn, and to read. If there are fewer connections, the last ones are read by nobody (${default})."`
	Stalled     int `placeholder:"N" help:"More connections, which stop reading once they are open (none)."`

	Size     int           `default:"128" placeholder:"BYTES" help:"Size of a payload in bytes, at least 34 (${default})."`
	Rate     float64       `placeholder:"N" help:"Messages per second, over all subjects; each goes to every connection on its subject (20)."`
	InFlight int           `placeholder:"N" help:"Instead of a rate: the number of messages in flight at any time. A message has arrived when each connection on its subject has it."`
	Duration time.Duration `default:"10s" placeholder:"TIME" help:"How long to publish, such as 30s or 5m (${default})."`
	Messages int           `placeholder:"N" help:"The most messages to publish (no limit)."`

	Idle     bool          `help:"Publish nothing: open the connections, and read the server's memory after the pause of --settle."`
	Settle   time.Duration `default:"2s" placeholder:"TIME" help:"Pause between opening the connections and reading the server's memory (${default})."`
	Patience time.Duration `default:"10s" placeholder:"TIME" help:"How long to wait while nothing happens, before the rest is given up (${default})."`
	PID      []int         `name:"pid" placeholder:"PID" help:"Processes of the server, including its children, whose processor time and memory are measured (Linux); separated by commas."`
	JSON     bool          `name:"json" help:"Print the result as JSON."`
}

// The default publisher and pace.
const (
	benchNATS = "nats://127.0.0.1:4222"
	benchRate = 20
)

// Run measures until the plan is done, or ctx ends.
func (c *benchCommand) Run(ctx context.Context, out output) error {
	plan, err := c.plan()
	if err = errors.Join(err, plan.Check()); err != nil {
		return usageError{err}
	}
	progress := newProgressLine(out.err)
	plan.Watch = progress.show
	report, err := load.Run(ctx, plan)
	progress.clear()
	if err != nil {
		return err
	}
	if c.JSON {
		encoder := json.NewEncoder(out.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	return writeBench(out.out, report)
}

// plan returns the plan of the flags. Even if there is an error, the caller should check the plan too.
func (c *benchCommand) plan() (load.Plan, error) {
	plan := load.Plan{
		URLs: c.URL, Header: c.Header, Subject: c.Subject, Post: c.Post,
		Connections: c.Connections, Subjects: c.Subjects, Stalled: c.Stalled,
		Size: c.Size, Rate: c.Rate, InFlight: c.InFlight, Duration: c.Duration, Messages: c.Messages,
		Idle: c.Idle, Settle: c.Settle, Patience: c.Patience, PIDs: c.PID,
	}
	if c.Idle && c.NATS+c.NATSContext+c.NATSCreds == "" {
		return plan, nil
	}
	if c.Rate == 0 && c.InFlight == 0 {
		plan.Rate = benchRate
	}
	dial, err := c.dialer()
	plan.Dial = dial
	return plan, err
}

// dialer returns the function that connects to NATS, or nil if messages are published by POST.
func (c *benchCommand) dialer() (func() (*nats.Conn, error), error) {
	if c.Post != "" && c.NATS+c.NATSContext+c.NATSCreds == "" {
		return nil, nil
	}
	settings := configs.NATS{Context: c.NATSContext, Creds: c.NATSCreds}
	var problems error
	switch {
	case c.NATS != "" && c.NATSContext != "":
		problems = errors.New("--nats and --nats-context: give one of them")
	case c.NATSContext == "":
		url := c.NATS
		if url == "" {
			url = benchNATS
		}
		if err := settings.URL.Decode(url); err != nil {
			problems = fmt.Errorf("--nats: %w", err)
		}
	}
	dial, _, err := node.External(settings)
	return func() (*nats.Conn, error) { return dial(load.NATSOptions()...) }, errors.Join(problems, err)
}

// progressLine is a line that is overwritten on a terminal. Elsewhere it prints nothing.
type progressLine struct{ to io.Writer }

func newProgressLine(to io.Writer) progressLine {
	if !isTerminal(to) {
		to = io.Discard
	}
	return progressLine{to}
}

const eraseLine = "\r\x1b[K"

func (l progressLine) show(p load.Progress) {
	fmt.Fprintf(l.to, "%s%4.0f s  %s: %s of %s open", eraseLine, p.Elapsed.Seconds(), p.Phase, comma(p.Connections), comma(p.Wanted))
	if p.Received > 0 {
		fmt.Fprintf(l.to, ", %s received, %s/s, p99 %.1f ms", comma(p.Received), comma(int(p.Rate)), p.P99.Seconds()*1000)
	}
	if p.Trouble > 0 {
		fmt.Fprintf(l.to, ", %s troubles", comma(p.Trouble))
	}
}

func (l progressLine) clear() { fmt.Fprint(l.to, eraseLine) }
