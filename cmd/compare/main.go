// Command compare measures Tailwater beside its alternatives, and beside the limit of the machine. `make bench` runs it after the
// micro-benchmarks.
//
// Every server gets the same load from `tailwater bench`, one after another, in rounds: A B C D, A B C D. On a machine with other users,
// figures of one server drift by a third within an hour; ratios within a round do not. So medians of ratios are compared.
//
//	limit/       a loop in C that only writes: the bare limit
//	byhand/      a handler in Go with one NATS subscription per client
//	nginx.conf   Nchan
//	results.jsonl  the measurements for BENCHMARKS.md, in full
//	reach.jsonl    those for REACH.md: bridges in front of a nats-server, each a process of its own (fleets.go), from which a model (reach.go)
//	               says how many of them many more browsers need
//
// Servers listen on free ports of loopback, and keep their files in a temporary folder. Each server is started again for each measurement,
// and stopped after it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "compare:", err)
		}
		stop()
		os.Exit(1)
	}
}

// options say how thoroughly to measure.
type options struct {
	rounds   int
	duration time.Duration // of each measurement
	settle   time.Duration // pause before idle memory is read
	divide   int           // divisor of connections and subjects, for a quick look
	only     string        // name of one load; empty for all
	raw      string
	reach    bool
	record   bool
	render   bool
}

// results holds the figures from which the documents are made.
const (
	results      = "results.jsonl"
	reachResults = "reach.jsonl"
)

// source is the folder of this program within the repository.
var source = filepath.Join("cmd", "compare")

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parse(args, progress)
	if err != nil {
		return err
	}
	if !o.render {
		if err := measure(ctx, o, progress); err != nil {
			return err
		}
		fmt.Fprintf(progress, "The raw results are in %s.\n\n", o.raw)
	}
	if o.record || o.render {
		return writeDocuments(".")
	}
	measured, err := readResults(o.raw)
	if err != nil {
		return err
	}
	text := measured.tables()
	if o.reach {
		compared, err := readResults(filepath.Join(source, results))
		if err != nil {
			return err
		}
		if text, err = reachText(compared, measured); err != nil {
			return err
		}
	}
	_, err = io.WriteString(out, text)
	return err
}

// parse returns the options of the arguments.
func parse(args []string, progress io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.SetOutput(progress)
	flags.IntVar(&o.rounds, "rounds", 3, "how often to measure everything")
	flags.DurationVar(&o.duration, "duration", 3*time.Second, "how long each measurement publishes")
	flags.DurationVar(&o.settle, "settle", 140*time.Second, "pause before idle memory is read: Go releases memory two minutes after its use")
	flags.IntVar(&o.divide, "divide", 1, "divide the connections and subjects by this, for a quick look")
	flags.StringVar(&o.only, "only", "", `run one load, by the name that the progress shows, such as "1,000 readers, one in flight"`)
	flags.StringVar(&o.raw, "raw", filepath.Join(os.TempDir(), "tailwater-bench.jsonl"), "file for the raw results")
	flags.BoolVar(&o.record, "record", false, "store the results in the repository, and write its documents from them")
	flags.BoolVar(&o.reach, "reach", false, "measure bridges in front of nats-servers, for REACH.md, and nothing else")
	flags.BoolVar(&o.render, "render", false, "do not measure; write the documents from the stored results")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.rounds < 1 || o.divide < 1 || o.duration <= 0 {
		return o, errors.New("-rounds, -divide and -duration: give more than 0")
	}
	loads := slices.Concat(idle, busy)
	if o.reach {
		loads, o.settle = nil, min(o.settle, afterArrival)
		for i := range fleets {
			loads = append(loads, fleets[i].scenario)
		}
	}
	if o.only != "" && !slices.ContainsFunc(loads, func(s scenario) bool { return s.name == o.only }) {
		return o, fmt.Errorf("-only: there is no load %q", o.only)
	}
	switch {
	case o.record && o.reach:
		o.raw = filepath.Join(source, reachResults)
	case o.record:
		o.raw = filepath.Join(source, results)
	}
	return o, nil
}

// measure runs all rounds. If it fails, or ctx ends, the results so far are kept.
func measure(ctx context.Context, o options, progress io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "tailwater-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	tools, err := prepare(ctx, folder)
	if err == nil && !o.reach {
		err = tools.others(ctx, progress)
	}
	if err != nil {
		return err
	}
	log, err := createResults(o.raw, thisMachine(ctx, tools, o))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.close()) }()
	c := &comparison{options: o, tools: tools, log: log, progress: progress}
	if o.reach {
		return c.measureFleets(ctx)
	}
	return c.run(ctx)
}
