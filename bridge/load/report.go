package load

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Report is the result of a run. Programs read its JSON: names never change.
type Report struct {
	URL         string      `json:"url"`       // several are separated by blanks
	Publisher   string      `json:"publisher"` // nats, post or none
	Subjects    int         `json:"subjects"`
	Size        int         `json:"size"` // bytes
	Connections Connections `json:"connections"`
	Messages    Messages    `json:"messages"`
	Deliveries  Deliveries  `json:"deliveries"`
	Latency     *Latency    `json:"latency_ms,omitempty"` // from publishing to receiving; absent if nothing arrived
	Server      *Server     `json:"server,omitempty"`     // absent without PIDs
	Generator   Generator   `json:"generator"`
	Limits      []string    `json:"limits"` // where the machine or the generator limited the result
	Notes       []string    `json:"notes"`  // other remarks
}

// Connections counts connections.
type Connections struct {
	Asked         int     `json:"asked"`  // reading
	Opened        int     `json:"opened"` // of the asked
	Closed        int     `json:"closed"` // of the opened, by the server
	Stalled       int     `json:"stalled"`
	StalledClosed int     `json:"stalled_closed"` // of the stalled, by the server
	OpenSeconds   float64 `json:"open_seconds"`   // time to open all
}

// Messages counts messages published after all connections were open.
type Messages struct {
	Asked     float64 `json:"asked_per_second,omitempty"` // the rate
	InFlight  int     `json:"in_flight,omitempty"`
	Published int     `json:"published"`
	Failed    int     `json:"failed"` // not published
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
}

// Deliveries counts messages on each connection.
type Deliveries struct {
	Expected    int     `json:"expected"` // nothing is expected after the last message of a connection that the server closed
	Received    int     `json:"received"`
	Lost        int     `json:"lost"`
	Duplicates  int     `json:"duplicates"`
	Disordered  int     `json:"disordered"`  // arrived after a later one
	Misdirected int     `json:"misdirected"` // on a subject that was not asked for
	Gaps        int     `json:"gaps"`        // events tailwater:gap
	Resets      int     `json:"resets"`      // events tailwater:reset
	PerSecond   float64 `json:"per_second"`
	Bytes       int64   `json:"bytes"` // everything read, including response headers
}

// Latency holds percentiles in ms.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// Server is what the server's processes used.
type Server struct {
	PIDs           []int   `json:"pids"`
	CPUSeconds     float64 `json:"cpu_seconds"`         // during publishing and delivery
	CPUPerDelivery float64 `json:"cpu_us_per_delivery"` // µs
	CPUPerMessage  float64 `json:"cpu_us_per_message"`  // µs
	RSSBefore      uint64  `json:"rss_before"`          // bytes, before connections
	RSSOpen        uint64  `json:"rss_open"`            // with connections, before publishing
	RSSEnd         uint64  `json:"rss_end"`
	RSSPeak        uint64  `json:"rss_peak"`
	PerConnection  float64 `json:"rss_per_connection"` // bytes

	Processes []Process `json:"processes"` // in the order of the PIDs
}

// Process is what one of the server's processes used.
type Process struct {
	PID         int     `json:"pid"`
	CPUSeconds  float64 `json:"cpu_seconds"`         // during publishing and delivery
	OpenSeconds float64 `json:"cpu_seconds_opening"` // until all connections were open, and the pause after that
	RSSBefore   uint64  `json:"rss_before"`          // bytes
	RSSOpen     uint64  `json:"rss_open"`
}

// Generator is what the measurement used.
type Generator struct {
	CPUSeconds     float64 `json:"cpu_seconds"`
	CPUPerDelivery float64 `json:"cpu_us_per_delivery"` // µs, including publishing
	Busy           float64 `json:"busy"`                // share of time in which the connections' loop was busy; -1 if unknown
	BehindMax      float64 `json:"behind_max_ms"`       // longest delay of publishing
	Machine        float64 `json:"machine_busy"`        // share of all processors' time, for all processes; -1 if unknown
}

func (r *run) report() *Report {
	is, _ := r.counts()
	report := &Report{
		URL: strings.Join(r.plan.URLs, " "), Publisher: "none", Subjects: r.plan.Subjects, Size: r.plan.Size,
		Connections: Connections{
			Asked: r.asked, Opened: is.streams + is.closed, Closed: is.closed,
			Stalled: r.plan.Stalled, StalledClosed: is.stalledClosed, OpenSeconds: r.opened.Seconds(),
		},
		Messages: r.messages(),
		Server:   r.serverUse(is),
		Limits:   []string{}, Notes: []string{},
	}
	switch {
	case r.plan.Post != "":
		report.Publisher = "post"
	case !r.plan.Idle:
		report.Publisher = "nats"
	}
	report.Deliveries = r.deliveries(is)
	if is.received > 0 {
		report.Latency = r.percentiles()
	}
	report.Generator = r.generator()
	r.judge(report)
	return report
}

func (r *run) messages() Messages {
	m := Messages{Asked: r.plan.Rate, InFlight: r.plan.InFlight, Published: r.published, Seconds: r.seconds}
	if r.seconds > 0 {
		m.PerSecond = float64(r.published) / r.seconds
	}
	if r.publisher != nil {
		for _, failed := range r.publisher.failed {
			m.Failed += int(failed)
		}
	}
	return m
}

// deliveries compares received with published messages.
func (r *run) deliveries(is counts) Deliveries {
	d := Deliveries{
		Received: is.received, Duplicates: is.duplicates, Disordered: is.disordered, Misdirected: is.misdirected,
		Gaps: is.gaps, Resets: is.resets, Bytes: is.bytes,
	}
	for _, t := range r.tallies {
		for i := range t.readers {
			d.Lost += r.lost(&t.readers[i])
		}
	}
	d.Expected = d.Received + d.Lost
	if took := r.lastArrival() - r.first.at; r.published > 0 && took > 0 {
		d.PerSecond = float64(d.Received) / took.Seconds()
	}
	return d
}

// lost counts messages that one connection should have received and did not.
func (r *run) lost(reader *reader) int {
	highest := reader.order.highest
	if reader.phase == open && !reader.stalled {
		highest = max(highest, published(r.published, int(reader.subject), r.plan.Subjects))
	}
	lost := int(highest - reader.order.received())
	if r.publisher != nil {
		lost -= int(r.publisher.failed[int(reader.subject)])
	}
	return max(0, lost)
}

func (r *run) lastArrival() (last time.Duration) {
	for _, t := range r.tallies {
		last = max(last, t.last)
	}
	return last
}

func (r *run) percentiles() *Latency {
	all := r.latencies()
	ms := func(percent float64) float64 { return float64(all.ValueAtPercentile(percent)) / 1000 }
	return &Latency{P50: ms(50), P90: ms(90), P99: ms(99), P999: ms(99.9), Max: float64(all.Max()) / 1000}
}

func (r *run) serverUse(is counts) *Server {
	if len(r.plan.PIDs) == 0 || r.gone != nil {
		return nil
	}
	var memory [moments]uint64
	for moment, used := range r.used {
		memory[moment] = used.sum().rss
	}
	s := &Server{
		PIDs:      r.plan.PIDs,
		RSSBefore: memory[beforeOpening], RSSOpen: memory[afterOpening], RSSEnd: memory[atEnd],
		RSSPeak:   max(r.watching.peak, slices.Max(memory[:])),
		Processes: r.processes(),
	}
	if opened := is.opened; opened > 0 && s.RSSOpen > 0 {
		s.PerConnection = (float64(s.RSSOpen) - float64(s.RSSBefore)) / float64(opened)
	}
	used := r.last.server.sum().cpu - r.first.server.sum().cpu
	s.CPUSeconds = used.Seconds()
	s.CPUPerDelivery = perEach(used, r.last.received-r.first.received)
	s.CPUPerMessage = perEach(used, r.published)
	return s
}

// processes returns what each process used; nothing if the run ended before all connections were open.
func (r *run) processes() []Process {
	each := []Process{}
	for i, open := range r.used[afterOpening] {
		before := r.used[beforeOpening][i]
		p := Process{PID: r.plan.PIDs[i], OpenSeconds: (open.cpu - before.cpu).Seconds(), RSSBefore: before.rss, RSSOpen: open.rss}
		if r.last.server != nil {
			p.CPUSeconds = (r.last.server[i].cpu - r.first.server[i].cpu).Seconds()
		}
		each = append(each, p)
	}
	return each
}

// perEach returns µs per item.
func perEach(used time.Duration, number int) float64 {
	if number == 0 {
		return 0
	}
	return float64(used) / float64(time.Microsecond) / float64(number)
}

// share returns which part of all time was used, from 0 to 1. The two may contradict each other a little: a loop's wait is
// counted when it ends, the kernel may lower its count of iowait (proc(5)), and sums of seconds are rounded.
func share(used, all float64) float64 { return min(max(used/all, 0), 1) }

func (r *run) generator() Generator {
	used, took := r.last.own-r.first.own, r.last.at-r.first.at
	g := Generator{CPUSeconds: used.Seconds(), CPUPerDelivery: perEach(used, r.last.received-r.first.received), Busy: -1, Machine: -1}
	if r.publisher != nil {
		g.BehindMax = float64(r.publisher.behind.Load()) / float64(time.Millisecond)
	}
	if took > 0 && r.first.waiting >= 0 {
		g.Busy = 1 - share(float64(r.last.waiting-r.first.waiting), float64(took)*float64(len(r.tallies)))
	}
	if all := r.last.machine - r.first.machine; all > 0 {
		g.Machine = share(r.last.busy-r.first.busy, all)
	}
	return g
}

// Shares above which the generator or the machine was the limit.
const (
	tooBusy     = 0.9
	machineFull = 0.97
	tooLate     = 0.01 // share of messages
)

// judge adds where the machine or the generator limited the result.
func (r *run) judge(report *Report) {
	limit := func(is bool, format string, values ...any) {
		if is {
			report.Limits = append(report.Limits, fmt.Sprintf(format, values...))
		}
	}
	limit(r.plan.Connections < r.asked, "only %d of %d connections were opened: this process may open %d files; raise the limit (ulimit -n)", r.plan.Connections, r.asked, r.files)
	if err := r.machine(); err != nil {
		limit(true, "only %d of %d connections were opened: %v", report.Connections.Opened, r.asked, err)
	}
	g := report.Generator
	limit(g.Busy > tooBusy, "the generator's loop was busy for %.0f %% of the time: it limited rate and latencies, not the server; use fewer connections, or a lower rate", 100*g.Busy)
	isPaced := r.plan.Rate > 0
	limit(isPaced && g.Machine > machineFull, "all processors were busy for %.0f %% of the time: latencies include waiting for a processor", 100*g.Machine)
	late := 0
	if r.publisher != nil && isPaced {
		late = int(r.publisher.late.Load())
	}
	limit(late > int(tooLate*float64(r.published)), "the generator fell behind its rate: %d of %d messages were published more than %v late, one by %.0f ms", late, r.published, tolerance, g.BehindMax)
	r.note(report)
}

func (r *run) note(report *Report) {
	note := func(format string, values ...any) {
		report.Notes = append(report.Notes, fmt.Sprintf(format, values...))
	}
	if silent := r.plan.Subjects - r.plan.Connections; silent > 0 {
		note("%d of %d subjects have no connection: what their messages cost the server is in its figures", silent, r.plan.Subjects)
	}
	if r.early {
		note("the run was ended early")
	}
	if r.isStuck {
		note("the run ended early: nothing arrived for %v, although messages were in flight", r.plan.Patience)
	}
	if r.gone != nil {
		note("the server was not measured: %v", r.gone)
	}
	if r.publisher != nil && r.publisher.why != nil {
		note("publishing failed: %v", r.publisher.why)
	}
}
