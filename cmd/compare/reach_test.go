package main

import (
	"bytes"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// The fleets run, so small and short that their figures mean nothing. The short form runs the one with the most processes.
func TestFleets(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are measured on Linux alone")
	}
	t.Chdir(root)
	raw := filepath.Join(t.TempDir(), "raw.jsonl")
	var out, progress bytes.Buffer
	o := options{rounds: 1, duration: 30e6, settle: 10e6, divide: 100, raw: raw, reach: true}
	if !*soak {
		o.only = twoLeaf
	}
	if err := measure(t.Context(), o, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	t.Logf("%s\n%s", &progress, &out)
	m, err := readResults(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i := range fleets {
		f := &fleets[i]
		if o.only != "" && f.name != o.only {
			continue
		}
		sample := m.reports[tailwater][1][f.name]
		if sample == nil || sample.Report.Server == nil || len(sample.Report.Server.Processes) != f.servers()+f.bridges {
			t.Errorf("%s: it says %+v", f.name, sample)
			continue
		}
		if d := sample.Report.Deliveries; len(f.pace) > 0 && (d.Received == 0 || d.Lost+d.Duplicates+d.Disordered+d.Gaps+d.Resets > 0) {
			t.Errorf("%s: %+v", f.name, d)
		}
	}
}

// Figures that can be worked out by hand.
func TestPlanOfMachines(t *testing.T) {
	const million = 1_000_000
	everything := audience{"", "", constant(10), perBrowser(1), constant(1)}
	each := audience{"", "", perBrowser(1. / 100), constant(1), perBrowser(1)}
	for _, test := range []struct {
		name     string
		costs    costs
		audience audience
		browsers float64

		bridges, servers, streams int
		short                     []string
	}{
		{"one bridge is enough", costs{deliver: 10}, everything, 10_000, 1, 0, 1, []string{"processors of the bridges"}},
		// 10 million deliveries of 1 µs are 10 cores, of which a bridge uses 4. Connections ask for 10 bridges, and one more may be lost.
		{"connections", costs{deliver: 1}, everything, million, 11, 3, 1, []string{"connections of a bridge"}},
		// 100 cores by 4 are 25, and one more.
		{"processors", costs{deliver: 10}, everything, million, 26, 3, 1, []string{"processors of the bridges"}},
		// 10 million times 1,000 bytes are 80 Gbit/s, of which a bridge uses 5.
		{"network", costs{wire: 1000}, everything, million, 17, 3, 1, []string{"network of the bridges"}},
		// 100 GB, of which a bridge uses 8 GiB.
		{"memory", costs{one: 50_000, kernel: 50_000, each: 50_000}, everything, million, 13, 3, 1, []string{"memory of the bridges"}},
		// 2,000 s of a core within 30 s, of which a bridge uses 4 a second.
		{"they come back", costs{back: 2000}, everything, million, 18, 3, 1, []string{"processors of the bridges, if all come back"}},
		// 10,000 messages of 200 µs are 2 s a second, and one goroutine uses a half: 4 streams, with three bridges each instead of 10 in all, and 4 more.
		{"a tap", costs{tap: 200}, each, million, 16, 3, 4, []string{"connections of a bridge", "reading of a stream by a bridge"}},
		// 10,000 messages of 100 µs to 11 bridges are 11 cores, and a leader uses 4. Two streams have 5 bridges each, and one more.
		{"a leader", costs{feed: 100}, each, million, 12, 3, 2, []string{"connections of a bridge", "the leader of a stream"}},
		// 100,000 messages of 60 µs, three times, are 18 cores; each of two leaders has 3.
		{"servers", costs{store: 60}, each, 10 * million, 102, 5, 2, []string{"connections of a bridge", "the leader of a stream", "processors of the NATS servers"}},
		// 1,000 s of a core within 30 s, of which a server uses 4 a second.
		{"pages", costs{page: 1000}, each, million, 11, 9, 1, []string{"connections of a bridge", "processors of the NATS servers, if all come back"}},
	} {
		n := test.costs.plan(&test.audience, test.browsers)
		if n.bridges != test.bridges || n.servers != test.servers || n.streams != test.streams {
			t.Errorf("%s: %d bridges, %d servers, %d streams, want %d, %d, %d", test.name, n.bridges, n.servers, n.streams, test.bridges, test.servers, test.streams)
		}
		var short []string
		for _, s := range test.costs.shortages(&test.audience, test.browsers) {
			short = append(short, s.name)
		}
		if !slices.Equal(short, test.short) {
			t.Errorf("%s: what runs out is %q, want %q", test.name, short, test.short)
		}
	}
}

// Of ten readers on ten bridges, some share one.
func TestTouched(t *testing.T) {
	for bridges, want := range map[int]float64{1: 1, 2: 1.998, 10: 6.513} {
		if got := (&need{readers: 10, bridges: bridges, streams: 1}).touched(); math.Abs(got-want) > 0.001 {
			t.Errorf("%d bridges: %v, want %v", bridges, got, want)
		}
	}
}
