// Command compare measures Tailwater beside what one would use instead, and beside what the machine can do at all. It is
// `make bench`, behind the micro-benchmarks.
//
// Every server gets the same load from `tailwater bench`, one after the other, in rounds: A B C D, A B C D. On a machine
// that others use as well, figures of one server drift by a third within an hour; ratios within a round do not. So what
// is compared are medians of ratios.
//
//	limit/       a loop in C that only writes: the bare limit
//	byhand/      a handler in Go with a NATS subscription for each client
//	nginx.conf   Nchan
//	results.jsonl  what was measured for BENCHMARKS.md, in full
//
// Servers listen on ports of loopback that are free, and keep their files in a temporary folder. Each is started anew for
// each measurement, and ended behind it.
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
	settle   time.Duration // until idle memory is read
	divide   int           // connections and subjects, for a quick look
	only     string        // the name of one load; empty for all
	raw      string
	record   bool
	render   bool
}

// results is where figures are kept that documents are made of.
const results = "results.jsonl"

// source is the folder of this program within the repository.
var source = filepath.Join("cmd", "compare")

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	var o options
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.SetOutput(progress)
	flags.IntVar(&o.rounds, "rounds", 3, "how often all is measured")
	flags.DurationVar(&o.duration, "duration", 3*time.Second, "how long each measurement publishes")
	flags.DurationVar(&o.settle, "settle", 140*time.Second, "pause until idle memory is read: Go gives memory back two minutes after it was used")
	flags.IntVar(&o.divide, "divide", 1, "divide the connections and subjects by this, for a quick look")
	flags.StringVar(&o.only, "only", "", `run one load, by the name that the progress shows, such as "1,000 readers, one in flight"`)
	flags.StringVar(&o.raw, "raw", filepath.Join(os.TempDir(), "tailwater-bench.jsonl"), "where the raw results go")
	flags.BoolVar(&o.record, "record", false, "keep the results in the repository, and write its documents from them")
	flags.BoolVar(&o.render, "render", false, "measure nothing: write the documents from the results that are kept")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.rounds < 1 || o.divide < 1 || o.duration <= 0 {
		return errors.New("-rounds, -divide and -duration: give more than 0")
	}
	if o.only != "" && !slices.ContainsFunc(slices.Concat(idle, busy), func(s scenario) bool { return s.name == o.only }) {
		return fmt.Errorf("-only: there is no load %q", o.only)
	}
	if o.record {
		o.raw = filepath.Join(source, results)
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
	_, err = io.WriteString(out, measured.tables())
	return err
}

// measure runs all rounds. What it has measured when it fails, or ctx ends, is kept.
func measure(ctx context.Context, o options, progress io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "tailwater-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	tools, err := prepare(ctx, folder, progress)
	if err != nil {
		return err
	}
	log, err := createResults(o.raw, thisMachine(ctx, tools, o))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.close()) }()
	c := &comparison{options: o, tools: tools, log: log, progress: progress}
	return c.run(ctx)
}
