//go:build !linux

package load

import "time"

const canMeasure = false

type usage struct {
	cpu time.Duration
	rss uint64
}

// processes cannot be measured here; Plan.Check refuses them.
type processes struct{}

func findProcesses([]int) (processes, error) { return processes{}, nil }

func (processes) usage() (usages, error) { return nil, nil }

func machineCPU() (busy, all float64) { return 0, 0 }
