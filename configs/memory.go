package configs

import (
	"errors"
	"fmt"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// minMemory has room for a few of everything.
	minMemory Bytes = 8 << 20
	// maxMemory is more than any machine has.
	maxMemory Bytes = 1 << 40
	// defaultMemory is enough for tens of thousands of connections.
	defaultMemory Bytes = 256 << 20
	// bodiesInMemory is how many of the largest bodies the memory must hold: half of the memory is for bodies, and one caller may
	// use at most half of that.
	bodiesInMemory = 4
)

// Machine is what the system allows this process.
type Machine struct {
	// Container is the limit of the process's control group in bytes, 0 for none: above it, the process is killed.
	Container int64
	// Total is the memory of the machine in bytes; 0 if unknown.
	Total int64
	// Problem says why the limit of the control group could not be read; nil if it was read, or there is none.
	Problem error
}

// readMachine asks the system. A limit that cannot be read counts as no limit.
func readMachine() Machine {
	container, err := memlimit.FromCgroup()
	for _, none := range []error{memlimit.ErrNoLimit, memlimit.ErrNoCgroup, memlimit.ErrCgroupsNotSupported} {
		if errors.Is(err, none) {
			err = nil
		}
	}
	total, _ := memlimit.FromSystem() // an error means that the total is unknown
	return Machine{Container: int64(container), Total: int64(total), Problem: err}
}

// Limit returns the lower of the container's limit and the machine's memory; 0 if both are unknown.
func (m Machine) Limit() int64 {
	if m.Container > 0 && (m.Total == 0 || m.Container < m.Total) {
		return m.Container
	}
	return m.Total
}

// ForGo returns how much of the container's memory Go may use: above it, Go collects its garbage instead of asking for more. The rest is for
// what Go does not count: the program itself, sockets, and files that are being written. Without it, a flood fills the container with
// garbage, and the process is killed, or reads its own program from the disk again and again. 0 for no limit.
func (m Machine) ForGo() int64 {
	if m.Container <= 0 {
		return 0
	}
	return m.Container - max(m.Container/5, min(besideGo, m.Container/2))
}

// besideGo is what was needed beside Go in a container of 128 MiB, with NATS inside: 5,000 connections, each on its subject, and 200,000 messages at once.
const besideGo = 56 << 20

// memory returns the default of MEMORY.
func (m Machine) memory() Bytes {
	limit := m.Limit()
	if limit == 0 {
		return defaultMemory
	}
	return min(max(Bytes(limit)/4, minMemory), defaultMemory)
}

// memoryHints returns hints about memory that is probably insufficient.
func (s *Settings) memoryHints() (hints []string) {
	if err := s.Machine.Problem; err != nil {
		hints = append(hints, fmt.Sprintf("the memory limit of this process's control group cannot be read (%v); set GOMEMLIMIT to 80 %% of the limit, and at least 56 MiB below it, or the process may be killed", err))
	}
	if limit := s.Machine.Limit(); limit > 0 && int64(s.Memory) > limit/2 {
		hints = append(hints, fmt.Sprintf("%s_MEMORY is %v, more than half of the %v available; the process may be killed", Prefix, s.Memory, Bytes(limit)))
	}
	if fit := int(s.Memory) / 2 / int(s.Limit.Body); fit < fewBodies {
		hints = append(hints, fmt.Sprintf("%s_LIMIT_BODY is %v, so only %d such bodies can arrive at once, and others are answered 503; raise %s_MEMORY if that is too few", Prefix, s.Limit.Body, fit, Prefix))
	}
	return hints
}

// fewBodies is how many of the largest bodies should fit.
const fewBodies = 8
