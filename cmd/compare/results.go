package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/tailwater/tailwater/bridge/load"
)

// sample is one measurement.
type sample struct {
	Scenario string       `json:"scenario"`
	Server   string       `json:"server"`
	Round    int          `json:"round"`
	Report   *load.Report `json:"report"`
	Unseen   int          `json:"unseen,omitempty"` // connections that the server has closed without the client seeing it
	Kernel   int64        `json:"kernel,omitempty"` // bytes by which the kernel's own memory grew
}

// resultLog is a file of JSON lines: the machine, and then each measurement as it is made.
type resultLog struct {
	mu   sync.Mutex
	file *os.File
}

func createResults(path string, m machine) (*resultLog, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("keep the results: %w", err)
	}
	l := &resultLog{file: file}
	return l, l.add(m)
}

func (l *resultLog) add(line any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return json.NewEncoder(l.file).Encode(line)
}

func (l *resultLog) close() error { return l.file.Close() }

// measured is the content of a file of results.
type measured struct {
	machine machine
	rounds  int
	reports map[string]map[int]outcome // by server and round
}

// outcome holds the samples of one server in one round, by the name of the scenario.
type outcome map[string]*sample

func readResults(path string) (*measured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	m := &measured{reports: map[string]map[int]outcome{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		return nil, errors.New("there are no results")
	}
	if err := json.Unmarshal(lines.Bytes(), &m.machine); err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	for lines.Scan() {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return nil, fmt.Errorf("read the results: %w", err)
		}
		m.take(s)
	}
	return m, lines.Err()
}

func (m *measured) take(s sample) {
	if m.reports[s.Server] == nil {
		m.reports[s.Server] = map[int]outcome{}
	}
	if m.reports[s.Server][s.Round] == nil {
		m.reports[s.Server][s.Round] = outcome{}
	}
	m.reports[s.Server][s.Round][s.Scenario] = &s
	m.rounds = max(m.rounds, s.Round)
}

// figures returns one value per round. Rounds without the figure are left out.
func (m *measured) figures(server string, of figure) (values []float64) {
	for round := 1; round <= m.rounds; round++ {
		if value, ok := of(m.reports[server][round]); ok {
			values = append(values, value)
		}
	}
	return values
}

// ratios returns, for each round, one server's figure divided by another's.
func (m *measured) ratios(server, other string, of figure) (values []float64) {
	for round := 1; round <= m.rounds; round++ {
		mine, ok := of(m.reports[server][round])
		its, too := of(m.reports[other][round])
		if ok && too && its > 0 {
			values = append(values, mine/its)
		}
	}
	return values
}

// median returns the median of values, which must not be empty.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[n/2] + sorted[(n-1)/2]) / 2
}
