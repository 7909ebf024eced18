package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tailwater/tailwater/bridge/load"
)

// real are the servers without the limit.
var real = []string{tailwater, nchan, byHand}

// everything is the filter of all subjects published here.
const everything = "bench.>"

// shortSettle is the pause if idle memory is not measured.
const shortSettle = 200 * time.Millisecond

// divided returns a number of connections or subjects for a quick look.
func (o options) divided(n int) int { return max(min(n, 2), n/o.divide) }

// args returns the flags of tailwater bench for the load.
func (s *scenario) args(o options) []string {
	length := o.duration
	if o.divide == 1 {
		length = max(length, s.longer)
	}
	args := []string{"bench", "--json", "--settle", min(shortSettle, o.settle).String(), "--duration", length.String(), "--connections", strconv.Itoa(o.divided(s.connections))}
	if s.subjects > 0 {
		args = append(args, "--subjects", strconv.Itoa(o.divided(s.subjects)))
	}
	if s.stalled > 0 {
		args = append(args, "--stalled", strconv.Itoa(o.divided(s.stalled)))
	}
	return append(args, s.pace...)
}

// comparison is one run of all measurements.
type comparison struct {
	options
	tools    *tools
	log      *resultLog
	telling  sync.Mutex
	progress io.Writer
	begun    time.Time
}

func (c *comparison) run(ctx context.Context) error {
	c.begun = time.Now()
	if err := c.measureIdle(ctx); err != nil {
		return err
	}
	for round := range c.rounds {
		for i := range busy {
			for _, server := range servers {
				if !c.runs(&busy[i], server) {
					continue
				}
				if err := c.measure(ctx, &busy[i], server, round+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c *comparison) runs(s *scenario, server string) bool {
	return c.tools.has(server) && (c.only == "" || c.only == s.name) && (len(s.only) == 0 || slices.Contains(s.only, server))
}

// stagger is how long one server has to open its connections before the next one starts.
const stagger = 1500 * time.Millisecond

// measureIdle measures all servers at the same time, because the pause is long and nothing happens in it. They open connections one after
// another.
func (c *comparison) measureIdle(ctx context.Context) error {
	var waiting sync.WaitGroup
	var failures []error
	var mu sync.Mutex
	begin := func(s *scenario, server string, round int) {
		waiting.Go(func() {
			if err := c.measure(ctx, s, server, round, "--settle", c.settle.String()); err != nil {
				mu.Lock()
				failures = append(failures, err)
				mu.Unlock()
			}
		})
		sleep(ctx, min(stagger, c.settle))
	}
	for round := range c.rounds {
		for i := range idle {
			for _, server := range servers {
				if c.runs(&idle[i], server) && ctx.Err() == nil {
					begin(&idle[i], server, round+1)
				}
			}
		}
	}
	waiting.Wait()
	if len(failures) > 0 {
		return failures[0]
	}
	return ctx.Err()
}

// measure starts a server, loads it, stops it, and stores the result.
func (c *comparison) measure(ctx context.Context, s *scenario, server string, round int, more ...string) error {
	failed := func(err error) error { return fmt.Errorf("%s, %s: %w", s.name, titles[server], err) }
	started, err := c.tools.start(ctx, server, s)
	if err != nil {
		return failed(err)
	}
	publish := started.publish
	if len(s.pace) == 0 {
		publish = []string{"--idle"}
	}
	watch, watched := context.WithCancel(ctx)
	closed := make(chan int, 1)
	go func() {
		most := 0
		if s.stalled > 0 {
			most = watchUnseen(watch, started.port)
		}
		closed <- most
	}()
	report, err := c.bench(ctx, slices.Concat(s.args(c.options), started.reads, publish, more))
	watched()
	unseen := <-closed
	if stopped := started.stop(); err == nil && stopped != nil {
		err = fmt.Errorf("end it: %w", stopped)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return failed(err)
	}
	c.tell(s, server, round, report)
	return c.log.add(sample{Scenario: s.name, Server: server, Round: round, Report: report, Unseen: unseen})
}

func (c *comparison) bench(ctx context.Context, args []string) (*load.Report, error) {
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, c.tools.command, args...)
	gentle(cmd)
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("bench: %w: %s", err, bytes.TrimSpace(problems.Bytes()))
	}
	report := &load.Report{}
	return report, json.Unmarshal(out.Bytes(), report)
}

// tell prints the result in one line.
func (c *comparison) tell(s *scenario, server string, round int, report *load.Report) {
	c.telling.Lock()
	defer c.telling.Unlock()
	fmt.Fprintf(c.progress, "%4.0f s  round %d of %d  %-36s %-10s  ", time.Since(c.begun).Seconds(), round, c.rounds, s.name, titles[server])
	use := report.Server
	switch {
	case use == nil:
	case report.Latency == nil:
		fmt.Fprintf(c.progress, "%6.2f KB a connection\n", use.PerConnection/kilo)
		return
	default:
		fmt.Fprintf(c.progress, "%6.2f µs a delivery", use.CPUPerDelivery)
	}
	if report.Latency != nil {
		fmt.Fprintf(c.progress, ", %.0f messages/s, p99 %.1f ms", report.Messages.PerSecond, report.Latency.P99)
	}
	if d := report.Deliveries; d.Lost+d.Duplicates+d.Disordered > 0 {
		fmt.Fprintf(c.progress, ", %d lost, %d twice, %d out of order", d.Lost, d.Duplicates, d.Disordered)
	}
	fmt.Fprintln(c.progress)
}
