package node

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tailwater/tailwater/bridge/live"
	"github.com/tailwater/tailwater/bridge/presence"
	"github.com/tailwater/tailwater/bridge/runs"
)

// meters are what the bridge measures by itself.
type meters struct{ delays, posts prometheus.Histogram }

func newMeters() meters {
	return meters{delays: prometheus.NewHistogram(descDelay), posts: prometheus.NewHistogram(descPostTime)}
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
	to, stats := sink(ch), c.node.Live.Stats()
	to.gauge(descBuild, 1, Version())
	to.connections(stats)
	to.sockets(stats)
	to.requests(stats)
	to.feeds(stats)
	c.collectPresence(stats.Presence, to)
	c.collectRuns(stats.Runs, to)
	c.collectTokens(stats.Tokens, to)
	c.collectLag(to)
	to.nats(stats)
	c.collectEmbedded(to)
}

// sink takes metrics.
type sink chan<- prometheus.Metric

func (to sink) gauge(desc *prometheus.Desc, value int, labels ...string) {
	to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
}

// state tells 1 for true and 0 for false.
func (to sink) state(desc *prometheus.Desc, is bool) {
	value := 0
	if is {
		value = 1
	}
	to.gauge(desc, value)
}

func (to sink) seconds(desc *prometheus.Desc, value time.Duration) {
	to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value.Seconds())
}

// since passes on when something happened, if it has.
func (to sink) since(desc *prometheus.Desc, at time.Time) {
	if !at.IsZero() {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(at.UnixMilli())/1000)
	}
}

func (to sink) count(desc *prometheus.Desc, value uint64, labels ...string) {
	to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
}

func (to sink) counts(desc *prometheus.Desc, values map[string]uint64) {
	for label, value := range values {
		to.count(desc, value, label)
	}
}

func (to sink) connections(stats live.Stats) {
	connections := stats.Connections
	to.gauge(descConnections, connections.Open-connections.Plain, "loop")
	to.gauge(descConnections, connections.Plain, "plain")
	to.count(descConnectionsOpened, connections.Opened)
	to.counts(descConnectionsClosed, connections.Ended)
	to.count(descEventsOut, connections.Frames)
	to.count(descBytesOut, connections.Bytes)
	to.gauge(descPolls, connections.Polls)
	to.count(descPollsTotal, connections.PollsAll)
	to.count(descPollsCut, connections.PollsCut)
}

func (to sink) sockets(stats live.Stats) {
	sockets := stats.Sockets
	to.gauge(descSockets, sockets.Waiting, "waiting")
	to.gauge(descSockets, sockets.Held-sockets.Waiting, "answering")
	to.count(descSocketsEvicted, sockets.Evicted)
	to.count(descSocketsRefused, sockets.Refused)
}

func (to sink) requests(stats live.Stats) {
	requests := stats.Requests
	to.count(descTurnedAway, requests.TurnedAway)
	to.counts(descLimited, requests.Limited)
	to.count(descRefused, requests.Refused)
	to.count(descPanics, requests.Panics)
	to.counts(descPublishes, requests.Publishes)
	for _, route := range requests.Routes {
		for method, count := range route.Requests {
			to.count(descRouteRequests, count, route.Route, method)
		}
		for problem, count := range route.Problems {
			to.count(descRouteProblems, count, route.Route, problem.Method, strconv.Itoa(problem.Status))
		}
	}
}

func (to sink) feeds(stats live.Stats) {
	feeds := stats.Feeds
	to.gauge(descFeeds, feeds.Feeds)
	to.counts(descGaps, feeds.Gaps)
	to.counts(descResets, feeds.Resets)
	for _, resumes := range feeds.Resumes {
		to.count(descResumes, resumes.Count, resumes.Result, resumes.Reason)
	}
	to.count(descReplayEnd, feeds.ReplaysDone, "complete")
	to.count(descReplayEnd, feeds.ReplaysLeft, "abandoned")
	for part, memory := range stats.Memory {
		to.gauge(descMemory, int(memory.Held), part)
		to.gauge(descMemoryLimit, int(memory.Limit), part)
	}
	to.count(descReplayed, feeds.ReplayMessages)
	to.count(descReplays, feeds.ReplayPages)
	to.count(descReplayBad, feeds.ReplayErrors)
}

func (to sink) nats(stats live.Stats) {
	nats := stats.NATS
	to.state(descConnected, nats.Connected)
	to.count(descConnects, nats.Connects)
	to.gauge(descTaps, nats.Taps)
	to.gauge(descTapsWaiting, nats.TapsWaiting)
	to.gauge(descTapMessages, int(nats.TapLag.Messages))
	to.seconds(descTapTime, nats.TapLag.Time)
	to.counts(descErrors, nats.Errors)
	to.since(descLastError, nats.LastError)
	to.gauge(descSubscriptions, nats.Subscriptions)
	to.gauge(descDeaf, nats.Deaf)
	if nats.Silence.For > 0 {
		to.gauge(descSilence, int(nats.Silence.For.Seconds()), nats.Silence.Stream)
	}
	to.count(descDropped, nats.Dropped)
	to.count(descEventsIn, nats.Messages)
	to.count(descBytesIn, nats.Bytes)
	to.count(descNames, nats.RefusedEvents)
	to.count(descHeaders, nats.BrokenHeaders)
}

func (c nodeCollector) collectPresence(stats presence.Stats, to sink) {
	if len(c.node.Settings.Presence) == 0 {
		return
	}
	to.gauge(descPresenceSubjects, stats.Subjects)
	to.gauge(descPresenceMembers, stats.Members)
	to.gauge(descPresenceUnnamed, stats.Unnamed)
	to.count(descPresenceWrites, stats.Writes)
	to.count(descPresenceBytes, stats.Bytes)
	to.count(descPresenceConflicts, stats.Conflicts)
	to.count(descPresenceFailures, stats.Failures)
	to.count(descPresenceUnlisted, stats.Unlisted)
}

func (c nodeCollector) collectRuns(stats runs.Stats, to sink) {
	if c.node.Settings.Answers == "" {
		return
	}
	to.gauge(descRunsOpen, stats.Open)
	to.count(descRunsAsked, stats.Asked)
	to.count(descRunsUnheard, stats.Unheard)
	to.count(descRunsEnded, stats.Ended, "ended")
	to.count(descRunsEnded, stats.Failed, "failed")
	to.count(descRunsSilent, stats.Silent)
	to.count(descRunsStopped, stats.Stopped)
	to.count(descRunsReplied, stats.Replied)
}

func (c nodeCollector) collectEmbedded(to sink) {
	if c.node.Embedded == nil {
		return
	}
	to.state(descStoreBroken, c.node.storeProblem() != "")
	to.count(descRestarts, c.node.Embedded.Restarts())
}

func (c nodeCollector) collectTokens(stats live.TokenStats, to sink) {
	if !c.node.Settings.Auth.SignsIn() {
		return
	}
	to.state(descAuthReady, stats.IsReady)
	to.gauge(descAuthRevoked, stats.Revoked)
	to.since(descAuthKeys, stats.KeysAt)
	to.since(descAuthRevokedAt, stats.RevocationsAt)
}

// surveyPatience is how long event loops may take to look at their connections; they answer between their writes.
const surveyPatience = time.Second

// collectLag tells how far clients are behind, unless that cannot be found out in time.
func (c nodeCollector) collectLag(to sink) {
	ctx, cancel := context.WithTimeout(context.Background(), surveyPatience)
	defer cancel()
	survey := c.node.Live.Survey(ctx, 0)
	if survey.Missing {
		return
	}
	to.gauge(descBehind, survey.Behind)
	to.gauge(descLagMessages, int(survey.Messages))
	to.seconds(descLagTime, survey.Late)
}

// storeProblem returns what keeps the embedded server from storing; "" if nothing does, or NATS is external.
func (n *Node) storeProblem() string {
	if n.Embedded == nil {
		return ""
	}
	return n.Embedded.Problem()
}
