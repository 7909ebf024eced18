package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// machine says where and how the figures were measured, without which they mean nothing.
type machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Virtual   bool   `json:"virtual"`
	Memory    string `json:"memory"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	NATS      string `json:"nats"`
	Compiler  string `json:"compiler,omitempty"`
	Nginx     string `json:"nginx,omitempty"`
	Nchan     string `json:"nchan,omitempty"`

	Day      string `json:"day"`
	Load     string `json:"load"` // average of the minute before the start
	Rounds   int    `json:"rounds"`
	Duration string `json:"duration"` // of one measurement
	Settle   string `json:"settle"`
	Divide   int    `json:"divide"`
}

func thisMachine(ctx context.Context, t *tools, o options) machine {
	m := machine{
		Processor: entry("/proc/cpuinfo", "model name"),
		Cores:     runtime.NumCPU(),
		Virtual:   strings.Contains(entry("/proc/cpuinfo", "flags")+" ", " hypervisor "),
		Memory:    entry("/proc/meminfo", "MemTotal"),
		Kernel:    said(ctx, "uname", "-sr"),
		Go:        strings.TrimPrefix(runtime.Version(), "go"),
		NATS:      strings.TrimPrefix(said(ctx, "go", "list", "-m", "-f", "{{.Version}}", "github.com/nats-io/nats-server/v2"), "v"),
		Day:       time.Now().UTC().Format(time.DateOnly),
		Load:      loadAverage(),
		Rounds:    o.rounds,
		Duration:  o.duration.String(),
		Settle:    o.settle.String(),
		Divide:    o.divide,
	}
	if t.limit != "" {
		m.Compiler, _, _ = strings.Cut(said(ctx, "cc", "--version"), "\n")
	}
	if t.nginx != "" {
		_, m.Nginx, _ = strings.Cut(said(ctx, t.nginx, "-v"), "nginx/")
		m.Nchan = said(ctx, "dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan")
	}
	return m
}

// entry returns the first value of a name in a file of the kernel.
func entry(path, name string) string {
	text, _ := os.ReadFile(path) // missing on other systems
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// said returns the output of a program, or "" if it cannot be run.
func said(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// String returns the text beside the figures.
func (m machine) String() string {
	var b strings.Builder
	kind := ""
	if m.Virtual {
		kind = " of a virtual machine"
	}
	fmt.Fprintf(&b, "%s, %d cores%s, which the load generator shared; %s of memory, %s.\n", m.Processor, m.Cores, kind, gibibytes(m.Memory), m.Kernel)
	fmt.Fprintf(&b, "Go %s, nats-server %s", m.Go, m.NATS)
	if m.Nginx != "" {
		fmt.Fprintf(&b, ", nginx %s with Nchan %s", m.Nginx, m.Nchan)
	}
	if m.Compiler != "" {
		fmt.Fprintf(&b, ", %s", m.Compiler)
	}
	fmt.Fprintf(&b, ".\n%s, %d rounds of %s a measurement; idle memory after %s. The load average was %s when it began.\n", m.Day, m.Rounds, m.Duration, m.Settle, m.Load)
	if m.Divide > 1 {
		fmt.Fprintf(&b, "Only 1/%d of the connections: this is a look, not a measurement.\n", m.Divide)
	}
	return b.String()
}

// gibibytes converts the kernel's kB, which means KiB, to GiB.
func gibibytes(memory string) string {
	var size float64
	if _, err := fmt.Sscanf(memory, "%f kB", &size); err != nil {
		return "some"
	}
	return fmt.Sprintf("%.0f GiB", size/(1<<20))
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg") // missing on other systems
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
