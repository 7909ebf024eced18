package main

import "github.com/tailwater/tailwater/bridge/load"

// figure is one number of a server's outcome in a round, if it was measured.
type figure func(outcome) (float64, bool)

const (
	kilo = 1000
	mega = 1000 * kilo
)

// of returns a figure of one scenario.
func of(scenario string, value func(*load.Report) float64) figure {
	return func(o outcome) (float64, bool) {
		sample := o[scenario]
		if sample == nil || sample.Report.Server == nil {
			return 0, false
		}
		return value(sample.Report), true
	}
}

// between returns a figure of two scenarios, the second of which is the plain case.
func between(special, plain string, value func(special, plain *load.Report) float64) figure {
	return func(o outcome) (float64, bool) {
		one, two := o[special], o[plain]
		if one == nil || two == nil || one.Report.Server == nil || two.Report.Server == nil {
			return 0, false
		}
		return value(one.Report, two.Report), true
	}
}

func perConnection(r *load.Report) float64 { return r.Server.PerConnection / kilo }
func perDelivery(r *load.Report) float64   { return r.Server.CPUPerDelivery }
func perSecond(r *load.Report) float64     { return r.Messages.PerSecond }
func before(r *load.Report) float64        { return float64(r.Server.RSSBefore) / mega }
func cut(r *load.Report) float64           { return float64(r.Connections.StalledClosed) }

func latency(percentile func(*load.Latency) float64) func(*load.Report) float64 {
	return func(r *load.Report) float64 {
		if r.Latency == nil {
			return 0
		}
		return percentile(r.Latency)
	}
}

var (
	p50 = latency(func(l *load.Latency) float64 { return l.P50 })
	p99 = latency(func(l *load.Latency) float64 { return l.P99 })
)

// cutUnseen counts stalled clients that were cut and cannot see it.
func cutUnseen(o outcome) (float64, bool) {
	if o[stalled] == nil {
		return 0, false
	}
	return float64(o[stalled].Unseen), true
}

// growth is how much more memory grew with stalled clients than without, in KB per stalled client.
func growth(with, without *load.Report) float64 {
	grew := func(r *load.Report) float64 { return float64(r.Server.RSSPeak) - float64(r.Server.RSSOpen) }
	return max(0, grew(with)-grew(without)) / kilo / float64(with.Connections.Stalled)
}

// moreCPU is how many µs more a message costs.
func moreCPU(with, without *load.Report) float64 {
	return with.Server.CPUPerMessage - without.Server.CPUPerMessage
}

// row is one line of the tables.
type row struct {
	title  string
	unit   string
	digits int
	figure figure
	bare   bool // without ratios, which would say nothing
}

var rows = []row{
	{title: "10,000 idle connections on one subject", unit: "KB each", digits: 2, figure: of(idleOne, perConnection)},
	{title: "10,000 idle connections with a subject each", unit: "KB each", digits: 2, figure: of(idleEach, perConnection)},
	{title: "the process before the first connection", unit: "MB", digits: 1, figure: of(idleOne, before)},
	{title: "1,000 readers, 64 messages in flight", unit: "µs a delivery", digits: 3, figure: of(manyInFlight, perDelivery)},
	{title: "10,000 readers, 16 in flight", unit: "µs a delivery", digits: 2, figure: of(moreReaders, perDelivery)},
	{title: "1,000 readers, one message at a time", unit: "µs a delivery", digits: 2, figure: of(oneInFlight, perDelivery)},
	{title: "1,000 readers × 20 messages/s, latency p50", unit: "ms", digits: 2, figure: of(paced, p50)},
	{title: "the same, p99", unit: "ms", digits: 2, figure: of(paced, p99)},
	{title: "5,000 subjects with a reader each, 20,000 messages/s", unit: "µs a delivery", digits: 1, figure: of(eachPaced, perDelivery)},
	{title: "the same, 1,000 in flight", unit: "messages/s", figure: of(eachMost, perSecond)},
	{title: "200 readers of 8 KB × 100/s, p99", unit: "ms", digits: 2, figure: of(calm, p99)},
	{title: "the same beside 50 that read nothing, p99", unit: "ms", digits: 2, figure: of(stalled, p99)},
	{title: "memory that each of the 50 adds", unit: "KB", figure: between(stalled, calm, growth), bare: true},
	{title: "of the 50, cut and able to see it", figure: of(stalled, cut), bare: true},
	{title: "of the 50, cut and unable to see it", figure: cutUnseen, bare: true},
}

// target is a goal for Tailwater.
type target struct {
	title  string
	figure figure
	beside string // the server to compare with; "" for an absolute figure
	least  bool   // the bound is a minimum, not a maximum
	bound  float64
	unit   string
	digits int
}

var targets = []target{
	{title: "idle connection on one subject", figure: of(idleOne, perConnection), bound: 1.2, unit: " KB", digits: 2},
	{title: "idle connection with a subject of its own", figure: of(idleEach, perConnection), bound: 4, unit: " KB", digits: 2},
	{title: "process before the first connection", figure: of(idleOne, before), bound: 30, unit: " MB", digits: 1},
	{title: "1,000 readers, 64 in flight: CPU a delivery", figure: of(manyInFlight, perDelivery), beside: limit, bound: 1.5, digits: 2},
	{title: "10,000 readers, 16 in flight: CPU a delivery", figure: of(moreReaders, perDelivery), beside: limit, bound: 1.5, digits: 2},
	{title: "1,000 readers, one at a time: CPU a delivery", figure: of(oneInFlight, perDelivery), beside: limit, bound: 1.3, digits: 2},
	{title: "the same", figure: of(oneInFlight, perDelivery), beside: byHand, bound: 0.65, digits: 2},
	{title: "the same", figure: of(oneInFlight, perDelivery), beside: nchan, bound: 1, digits: 2},
	{title: "1,000 readers × 20/s: latency p99", figure: of(paced, p99), beside: limit, bound: 1.15, digits: 2},
	{title: "5,000 subjects, 20,000/s: CPU a delivery", figure: of(eachPaced, perDelivery), beside: byHand, bound: 0.75, digits: 2},
	{title: "5,000 subjects: most messages/s", figure: of(eachMost, perSecond), beside: byHand, least: true, bound: 1.4, digits: 2},
	{title: "50 stalled beside 200: p99 of the others, with / without", figure: between(stalled, calm, func(with, without *load.Report) float64 { return p99(with) / p99(without) }), bound: 1.5, unit: " ×", digits: 2},
	{title: "memory for each stalled one", figure: between(stalled, calm, growth), bound: 256, unit: " KB"},
	{title: "stalled ones that were cut", figure: of(stalled, cut), least: true, bound: 50},
	{title: "JetStream on, 2,000/s: more CPU a message", figure: between(fewStored, fewUnstored, moreCPU), bound: 25, unit: " µs", digits: 1},
	{title: "JetStream on, 20,000/s: more CPU a message", figure: between(oneStored, oneUnstored, moreCPU), bound: 25, unit: " µs", digits: 1},
	{title: "JetStream on, 1,000 readers, 64 in flight: more CPU a delivery", figure: between(manyStored, manyInFlight, func(with, without *load.Report) float64 {
		return perDelivery(with) - perDelivery(without)
	}), bound: 0.025, unit: " µs", digits: 3},
}
