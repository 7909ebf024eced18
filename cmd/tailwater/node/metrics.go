package node

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tailwater/tailwater/bridge/live"
	"github.com/tailwater/tailwater/bridge/presence"
	"github.com/tailwater/tailwater/bridge/runs"
)

// newRegistry returns the metrics of a node. No label holds a subject, a user or an address: the number of time series must not grow
// with use.
func newRegistry(n *Node) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		nodeCollector{n},
	)
	return registry
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tailwater_"+name, help, labels, nil)
}

var (
	descBuild = describe("build_info", "Always 1; the version is in the label.", "version")

	descConnections       = describe("connections", "Open connections of browsers, by their writer: an event loop, or a goroutine per connection (plain).", "writer")
	descConnectionsOpened = describe("connections_opened_total", "Connections opened.")
	descConnectionsClosed = describe("connections_closed_total", "Connections ended: the client disconnected, received nothing for the write timeout (slow), was asked to reconnect because of its age, its token expired or was revoked (auth), an administrator has ended it (kick), its run has ended (run), or this bridge is stopping (drain).", "reason")
	descTurnedAway        = describe("connections_turned_away_total", "Connections asked to reconnect later: too many at once, or the bridge was stopping.")
	descSockets           = describe("sockets", "Connections of browsers, by state: waiting for their clients, which have sent no complete request, or answering. With HTTP/2, each further event stream counts as one.", "state")
	descSocketsEvicted    = describe("sockets_evicted_total", "Connections that waited for their clients and were closed to make room for others.")
	descSocketsRefused    = describe("sockets_refused_total", "Connections closed on arrival, because there was no room and none was waiting for its client.")
	descLimited           = describe("requests_limited_total", "Requests that exceeded a limit: connections in all, connections from one address, posts of one caller, GETs and HEADs of one address (reads), or memory for bodies.", "limit")
	descRefused           = describe("requests_refused_total", "Requests other than POST that were answered with a problem.")

	descPanics = describe("panics_total", "Requests that hit a bug in Tailwater; the log has the stacks.")

	descPolls      = describe("polls", "Answers to poll=1 that are being read or written.")
	descPollsTotal = describe("polls_total", "Requests with poll=1 that were started.")
	descPollsCut   = describe("polls_cut_total", "Answers to poll=1 whose clients disconnected, or received nothing for the write timeout.")

	descMemory      = describe("memory_bytes", "Memory in use, by part: the newest messages of subjects (frames), pages of history, bodies of requests, and messages arriving from NATS (intake).", "part")
	descMemoryLimit = describe("memory_limit_bytes", "The limit of each part of TAILWATER_MEMORY.", "part")

	descFeeds     = describe("feeds", "Sets of subjects with a reader, or with one that has just left.")
	descEventsIn  = describe("events_in_total", "Messages received from NATS.")
	descBytesIn   = describe("bytes_in_total", "Payload bytes received from NATS.")
	descEventsOut = describe("events_out_total", "Events written to connections.")
	descBytesOut  = describe("bytes_out_total", "Bytes written to connections, before TLS and HTTP framing.")
	descGaps      = describe("gaps_total", "Gaps announced: one per feed if a whole feed missed messages, otherwise one per connection.", "reason")
	descResets    = describe("resets_total", "Connections whose position was or became invalid.", "reason")
	descReplayed  = describe("replay_events_total", "Stored messages read for connections that were behind; each counts once, for any number of connections.")
	descReplays   = describe("replay_reads_total", "Reads of streams for connections that were behind.")
	descReplayBad = describe("replay_errors_total", "Failed reads of streams; they are repeated.")
	descHeaders   = describe("message_headers_broken_total", "Messages delivered without their headers, because these cannot be decoded; counted at each read.")
	descNames     = describe("event_names_refused_total", "Event names of NATS publishers that were removed, because publishers may not use them.")

	descPublishes = describe("publishes_total", "POSTs by result: accepted, refused (because of the request), unavailable (because of NATS), failed.", "result")

	descPresenceSubjects  = describe("presence_subjects", "Subjects whose members are listed, with members on this bridge.")
	descPresenceMembers   = describe("presence_members", "Members with a name on this bridge, once for each subject.")
	descPresenceUnnamed   = describe("presence_unnamed", "Connections of members without a name on this bridge, once for each subject.")
	descPresenceWrites    = describe("presence_writes_total", "Writes of who is on a subject, conflicts included.")
	descPresenceBytes     = describe("presence_bytes_total", "Bytes of these writes.")
	descPresenceConflicts = describe("presence_conflicts_total", "Writes of who is on a subject that another bridge was faster than; they are tried again.")
	descPresenceFailures  = describe("presence_failures_total", "Writes of who is on a subject that NATS did not take; they are tried again.")
	descPresenceUnlisted  = describe("presence_unlisted_total", "Connections that were not listed, because their address or caller had too many places in lists.")

	descRunsOpen    = describe("runs_open", "Questions that were asked here and have no complete answer.")
	descRunsAsked   = describe("runs_asked_total", "Questions that somebody has heard.")
	descRunsUnheard = describe("runs_unheard_total", "Questions that nobody has heard.")
	descRunsEnded   = describe("runs_ended_total", "Questions asked here whose answers are complete (ended), or have ended with an error (failed), silence included.", "result")
	descRunsSilent  = describe("runs_silent_total", "Questions whose answers this bridge has ended, because none came for TAILWATER_ANSWERS_SILENCE.")
	descRunsStopped = describe("runs_stopped_total", "Requests to stop passed on to whoever answers.")

	descConnected     = describe("nats_connected", "1 while there is a connection to NATS.")
	descConnects      = describe("nats_connects_total", "Connections made to NATS.")
	descTaps          = describe("nats_taps", "Streams being read, by one consumer each.")
	descSubscriptions = describe("nats_subscriptions", "Open core NATS subscriptions.")
	descDeaf          = describe("nats_subscriptions_refused", "Subjects that NATS refuses the bridge to subscribe to; their readers wait.")
	descSilence       = describe("nats_silence_seconds", "How long a stream, or with an empty name JetStream, has not answered on a connection that is up.", "stream")
	descStoreBroken   = describe("embedded_store_broken", "1 while the embedded NATS server cannot store.")
	descRestarts      = describe("embedded_restarts_total", "How often the embedded NATS server was restarted, because its store was broken.")
	descDropped       = describe("nats_dropped_total", "Messages lost because they arrived faster than this process could handle them.")
)

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
	to.nats(stats)
	c.collectEmbedded(to)
}

// sink takes metrics.
type sink chan<- prometheus.Metric

func (to sink) gauge(desc *prometheus.Desc, value int, labels ...string) {
	to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
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
}

func (to sink) feeds(stats live.Stats) {
	feeds := stats.Feeds
	to.gauge(descFeeds, feeds.Feeds)
	to.counts(descGaps, feeds.Gaps)
	to.counts(descResets, feeds.Resets)
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
	connected := 0
	if nats.Connected {
		connected = 1
	}
	to.gauge(descConnected, connected)
	to.count(descConnects, nats.Connects)
	to.gauge(descTaps, nats.Taps)
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
}

func (c nodeCollector) collectEmbedded(to sink) {
	if c.node.Embedded == nil {
		return
	}
	broken := 0
	if c.node.storeProblem() != "" {
		broken = 1
	}
	to.gauge(descStoreBroken, broken)
	to.count(descRestarts, c.node.Embedded.Restarts())
}
