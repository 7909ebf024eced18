package load

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/procfs"
)

// canMeasure reports whether this system can measure other processes.
const canMeasure = true

// usage is what a process has used.
type usage struct {
	cpu time.Duration // of all threads, also ended ones
	rss uint64        // bytes
}

// processes are the server's processes.
type processes []procfs.Proc

func findProcesses(pids []int) (processes, error) {
	var found processes
	var problems []error
	for _, pid := range pids {
		proc, err := procfs.NewProc(pid)
		if err != nil {
			problems = append(problems, fmt.Errorf("there is no process %d", pid))
		}
		found = append(found, proc)
	}
	return found, errors.Join(problems...)
}

// usage returns what each process has used.
func (p processes) usage() (usages, error) {
	var each usages
	for _, proc := range p {
		stat, err := proc.Stat()
		if err != nil {
			return nil, fmt.Errorf("the process %d has ended: %w", proc.PID, err)
		}
		status, err := proc.NewStatus()
		if err != nil {
			return nil, fmt.Errorf("the process %d has ended: %w", proc.PID, err)
		}
		each = append(each, usage{cpu: time.Duration(stat.CPUTime() * float64(time.Second)), rss: status.VmRSS})
	}
	return each, nil
}

// machineCPU returns the processor time of the whole machine since its start: used, and total.
func machineCPU() (busy, all float64) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, 0
	}
	stat, err := fs.Stat()
	if err != nil {
		return 0, 0
	}
	cpu := stat.CPUTotal // guest time is within user time
	busy = cpu.User + cpu.Nice + cpu.System + cpu.IRQ + cpu.SoftIRQ + cpu.Steal
	return busy, busy + cpu.Idle + cpu.Iowait
}
