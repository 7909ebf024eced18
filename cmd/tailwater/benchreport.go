package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/tailwater/tailwater/bridge/load"
)

// report is a table of two columns.
type report struct{ table *tabwriter.Writer }

func (r report) row(what, format string, values ...any) {
	fmt.Fprintf(r.table, what+"\t"+format+"\n", values...)
}

// writeBench writes the report for people.
func writeBench(to io.Writer, r *load.Report) error {
	report := report{tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)}
	report.connections(r)
	if r.Messages.Published > 0 {
		report.deliveries(r)
	}
	if r.Server != nil {
		report.server(r)
	}
	if r.Messages.Published > 0 {
		report.generator(r)
	}
	for _, limit := range r.Limits {
		report.row("limit", "! %s", limit)
	}
	for _, note := range r.Notes {
		report.row("note", "! %s", note)
	}
	return report.table.Flush()
}

func (r report) connections(b *load.Report) {
	c := b.Connections
	r.row("server", "%s", b.URL)
	r.row("connections", "%s on %s, opened in %.2f s; %s", plural(c.Opened, "connection"), plural(b.Subjects, "subject"), c.OpenSeconds, closed(c.Closed))
	if c.Stalled > 0 {
		r.row("stalled", "%s; %s", plural(c.Stalled, "connection"), closed(c.StalledClosed))
	}
}

func closed(number int) string {
	if number == 0 {
		return "the server closed none"
	}
	return "the server closed " + comma(number)
}

func (r report) deliveries(b *load.Report) {
	m, d := b.Messages, b.Deliveries
	pace := humanize.FormatFloat("#,###.#", m.PerSecond) + "/s"
	if m.InFlight > 0 {
		pace += fmt.Sprintf(" with %s in flight", comma(m.InFlight))
	}
	r.row("published", "%s of %s bytes by %s in %.1f s, %s", plural(m.Published, "message"), comma(b.Size), strings.ToUpper(b.Publisher), m.Seconds, pace)
	if m.Failed > 0 {
		r.row("", "! %s could not be published", comma(m.Failed))
	}
	r.row("delivered", "%s of %s, %s/s", comma(d.Received), comma(d.Expected), comma(int(d.PerSecond)))
	r.row("", "%s", troubles(d))
	if l := b.Latency; l != nil {
		r.row("latency", "p50 %s, p90 %s, p99 %s, p99.9 %s, max %s ms", ms(l.P50), ms(l.P90), ms(l.P99), ms(l.P999), ms(l.Max))
	}
}

// troubles lists what went wrong.
func troubles(d load.Deliveries) string {
	all := fmt.Sprintf("%s lost, %s twice, %s out of order", comma(d.Lost), comma(d.Duplicates), comma(d.Disordered))
	for _, rare := range []struct {
		number int
		what   string
	}{{d.Misdirected, "on another subject"}, {d.Gaps, "gaps announced"}, {d.Resets, "resets announced"}} {
		if rare.number > 0 {
			all += fmt.Sprintf(", %s %s", comma(rare.number), rare.what)
		}
	}
	return all
}

func (r report) server(b *load.Report) {
	s := b.Server
	if b.Messages.Published > 0 {
		r.row("server's CPU", "%.2f µs a delivery, %.1f µs a message; %.2f s in all", s.CPUPerDelivery, s.CPUPerMessage, s.CPUSeconds)
	}
	memory := fmt.Sprintf("%s before, %s with the connections: %.2f KiB each", humanize.IBytes(s.RSSBefore), humanize.IBytes(s.RSSOpen), s.PerConnection/1024)
	if s.RSSEnd > 0 {
		memory += fmt.Sprintf("; %s at the end, %s at most", humanize.IBytes(s.RSSEnd), humanize.IBytes(s.RSSPeak))
	}
	r.row("server's memory", "%s", memory)
}

func (r report) generator(b *load.Report) {
	g := b.Generator
	text := fmt.Sprintf("%.2f µs a delivery", g.CPUPerDelivery)
	if g.Busy >= 0 {
		text += fmt.Sprintf(", its loop busy for %.0f %%", 100*g.Busy)
	}
	if b.Messages.InFlight == 0 {
		text += fmt.Sprintf(", late by %s ms at most", ms(g.BehindMax))
	}
	if g.Machine >= 0 {
		text += fmt.Sprintf("; the machine busy for %.0f %%", 100*g.Machine)
	}
	r.row("generator's CPU", "%s", text)
}

// ms returns milliseconds with the digits that are worth reading.
func ms(value float64) string {
	switch {
	case value < 10:
		return fmt.Sprintf("%.2f", value)
	case value < 100:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.0f", value)
}

func comma(number int) string { return humanize.Comma(int64(number)) }

func plural(number int, what string) string {
	if number != 1 {
		what += "s"
	}
	return comma(number) + " " + what
}
