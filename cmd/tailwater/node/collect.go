package node

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// meters are what the bridge measures by itself.
type meters struct{ delays, posts prometheus.Histogram }

func newMeters() meters {
	return meters{delays: prometheus.NewHistogram(delays), posts: prometheus.NewHistogram(posts)}
}

// newRegistry returns the metrics of a node.
func newRegistry(n *Node) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		n.meters.delays, n.meters.posts,
		nodeCollector{n},
	)
	return registry
}

// nodeCollector reads the parts' own counters on request.
type nodeCollector struct{ node *Node }

// Describe implements prometheus.Collector.
func (c nodeCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c nodeCollector) Collect(ch chan<- prometheus.Metric) {
	kinds := map[string]prometheus.ValueType{"counter": prometheus.CounterValue, "gauge": prometheus.GaugeValue}
	sink(func(m Metric, values []value) {
		desc := prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
		for _, v := range values {
			ch <- prometheus.MustNewConstMetric(desc, kinds[m.Type], v.number, v.labels...)
		}
	}).all(c.node.read())
}

// surveyPatience is how long event loops may take to look at their connections; they answer between their writes.
const surveyPatience = time.Second

func (n *Node) read() reading {
	ctx, cancel := context.WithTimeout(context.Background(), surveyPatience)
	defer cancel()
	r := reading{
		Stats: n.Live.Stats(), survey: n.Live.Survey(ctx, 0), storeBroken: n.storeProblem() != "",
		hasPresence: len(n.Settings.Presence) > 0, hasRuns: n.Settings.Answers != "", hasTokens: n.Settings.Auth.SignsIn(), isEmbedded: n.Embedded != nil,
	}
	if r.isEmbedded {
		r.restarts = n.Embedded.Restarts()
	}
	return r
}

// storeProblem returns what keeps the embedded server from storing; "" if nothing does, or NATS is external.
func (n *Node) storeProblem() string {
	if n.Embedded == nil {
		return ""
	}
	return n.Embedded.Problem()
}
