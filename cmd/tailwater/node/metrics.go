package node

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tailwater/tailwater/bridge/live"
	"github.com/tailwater/tailwater/bridge/outlet"
)

// The bridge's metrics: what each is called, what it says, and where it is read stand in one place. Documents, dashboard and alert rules are
// made from it.

// Metric is one of a bridge's own metrics.
type Metric struct {
	Name, Help string
	Type       string // counter, gauge or histogram
	Labels     []string
}

// Metrics returns the bridge's own metrics. No label holds a subject, a user or an address: the number of time series must not grow with use.
func Metrics() (all []Metric) {
	sink(func(m Metric, _ []value) { all = append(all, m) }).all(reading{hasPresence: true, hasRuns: true, hasTokens: true, isEmbedded: true})
	return all
}

// reading is what the metrics of a bridge are read from, and which parts the bridge has.
type reading struct {
	live.Stats
	survey      outlet.Survey
	storeBroken bool
	restarts    uint64 // of the embedded server

	hasPresence, hasRuns, hasTokens, isEmbedded bool
}

// all passes on every metric of the parts that the bridge has.
func (to sink) all(r reading) {
	to.labelled("build_info", "Always 1; the version is in the label.", []string{"version"}, value{1, []string{Version()}})
	to.connections(r)
	to.requests(r)
	to.feeds(r)
	if r.hasPresence {
		to.presence(r)
	}
	if r.hasRuns {
		to.runs(r)
	}
	if r.hasTokens {
		to.state("auth_ready", "1 while tokens can be checked: revocations have been read.", r.Tokens.IsReady)
		to.gauge("auth_revoked_keys", "Keys in the bucket of revoked tokens and callers.", r.Tokens.Revoked)
		to.since("auth_keys_timestamp_seconds", "When the key set of TAILWATER_AUTH_JWKS_URL was read.", r.Tokens.KeysAt)
		to.since("auth_revocations_timestamp_seconds", "Up to when revocations are known: until now, or while NATS is unreachable, until it was lost.", r.Tokens.RevocationsAt)
	}
	to.nats(r)
	if r.isEmbedded {
		to.state("embedded_store_broken", "1 while the embedded NATS server cannot store.", r.storeBroken)
		to.count("embedded_restarts_total", "How often the embedded NATS server was restarted, because its store was broken.", r.restarts)
	}
}

func (to sink) connections(r reading) {
	c, s := r.Connections, r.Sockets
	by(to, "connections", "Open connections of browsers, by their writer: an event loop, or a goroutine per connection (plain).", "writer", map[string]int{"loop": c.Open - c.Plain, "plain": c.Plain})
	to.count("connections_opened_total", "Connections opened.", c.Opened)
	by(to, "connections_closed_total", "Connections ended: the client disconnected, received nothing for the write timeout (slow), was asked to reconnect because of its age, its token expired or was revoked (auth), an administrator has ended it (kick), its run has ended (run), or this bridge is stopping (drain).", "reason", c.Ended)
	to.count("connections_turned_away_total", "Connections asked to reconnect later: no room or too many requests, the bridge was stopping, or tokens could not be checked.", r.Requests.TurnedAway)
	if !r.survey.Missing {
		to.gauge("connections_behind", "Connections whose clients have lacked something that has arrived for them for 100 ms.", r.survey.Behind)
		to.seconds("reader_lag_seconds", "How long the slowest client has lacked something that has arrived for it.", r.survey.Late)
		to.gauge("reader_lag_messages", "The most messages that one client lacks of those that have arrived for it. Those that have to be read from a stream count whatever their subject.", int(r.survey.Messages))
	}
	to.histogram(delays)
	by(to, "sockets", "Connections of browsers, by state: waiting for their clients, which have sent no complete request, or answering. With HTTP/2, each further event stream counts as one.", "state", map[string]int{"waiting": s.Waiting, "answering": s.Held - s.Waiting})
	to.count("sockets_evicted_total", "Connections that waited for their clients and were closed to make room for others.", s.Evicted)
	to.count("sockets_refused_total", "Connections closed on arrival, because there was no room and none was waiting for its client.", s.Refused)
}

func (to sink) requests(r reading) {
	by(to, "requests_limited_total", "Requests that exceeded a limit: connections in all, connections from one address, posts of one caller (rate), GETs and HEADs of one address (reads), open questions of one caller (runs), or memory for bodies.", "limit", r.Requests.Limited)
	to.count("requests_refused_total", "Requests other than POST that were answered with a problem.", r.Requests.Refused)
	var requests, problems []value
	for _, route := range r.Requests.Routes {
		for method, count := range route.Requests {
			requests = append(requests, value{float64(count), []string{route.Route, method}})
		}
		for problem, count := range route.Problems {
			problems = append(problems, value{float64(count), []string{route.Route, problem.Method, strconv.Itoa(problem.Status)}})
		}
	}
	to.labelled("route_requests_total", "Requests by route and method, refused ones included. Pages, sessions, and what is no route, are other.", []string{"route", "method"}, requests...)
	to.labelled("route_problems_total", "Requests that were answered with a problem, by route, method and status.", []string{"route", "method", "code"}, problems...)
	to.count("panics_total", "Requests that hit a bug in Tailwater; the log has the stacks.", r.Requests.Panics)
	to.gauge("polls", "Answers to poll=1 that are being read or written.", r.Connections.Polls)
	to.count("polls_total", "Requests with poll=1 that were started.", r.Connections.PollsAll)
	to.count("polls_cut_total", "Answers to poll=1 whose clients disconnected, or received nothing for the write timeout.", r.Connections.PollsCut)
}

func (to sink) feeds(r reading) {
	held, most := map[string]int64{}, map[string]int64{}
	for part, memory := range r.Memory {
		held[part], most[part] = memory.Held, memory.Limit
	}
	by(to, "memory_bytes", "Memory in use, by part: the newest messages of subjects (frames), pages of history, bodies of requests, and messages arriving from NATS (intake).", "part", held)
	by(to, "memory_limit_bytes", "The limit of each part of TAILWATER_MEMORY.", "part", most)
	to.gauge("feeds", "Sets of subjects with a reader, or with one that has just left.", r.Feeds.Feeds)
	to.count("events_in_total", "Messages received from NATS.", r.NATS.Messages)
	to.count("bytes_in_total", "Payload bytes received from NATS.", r.NATS.Bytes)
	to.count("events_out_total", "Events written to connections.", r.Connections.Frames)
	to.count("bytes_out_total", "Bytes written to connections, before TLS and HTTP framing.", r.Connections.Bytes)
	by(to, "gaps_total", "Gaps announced: one per feed if a whole feed missed messages, otherwise one per connection.", "reason", r.Feeds.Gaps)
	by(to, "resets_total", "Connections whose position was or became invalid.", "reason", r.Feeds.Resets)
	var resumes []value
	for _, how := range r.Feeds.Resumes {
		resumes = append(resumes, value{float64(how.Count), []string{how.Result, how.Reason}})
	}
	to.labelled("resumes_total", "Connections that brought a position, by how they continued: exactly, after a gap, or after a reset.", []string{"result", "reason"}, resumes...)
	by(to, "replays_total", "Replays that clients asked for: complete, or abandoned, because their clients left before.", "result", map[string]uint64{"complete": r.Feeds.ReplaysDone, "abandoned": r.Feeds.ReplaysLeft})
	to.count("replay_events_total", "Stored messages read for connections that were behind; each counts once, for any number of connections.", r.Feeds.ReplayMessages)
	to.count("replay_reads_total", "Reads of streams for connections that were behind.", r.Feeds.ReplayPages)
	to.count("replay_errors_total", "Failed reads of streams; they are repeated.", r.Feeds.ReplayErrors)
	to.count("message_headers_broken_total", "Messages delivered without their headers, because these cannot be decoded; counted at each read.", r.NATS.BrokenHeaders)
	to.count("event_names_refused_total", "Event names of NATS publishers that were removed, because publishers may not use them.", r.NATS.RefusedEvents)
	by(to, "publishes_total", "POSTs by result, sign-ins included: accepted, refused (because of the request), unavailable (503: try again later), failed (another status of 500 or more).", "result", r.Requests.Publishes)
	to.histogram(posts)
}

func (to sink) presence(r reading) {
	to.gauge("presence_subjects", "Subjects whose members are listed, with members on this bridge.", r.Presence.Subjects)
	to.gauge("presence_members", "Members with a name on this bridge, once for each subject.", r.Presence.Members)
	to.gauge("presence_unnamed", "Connections of members without a name on this bridge, once for each subject.", r.Presence.Unnamed)
	to.count("presence_writes_total", "Writes of who is on a subject, conflicts included.", r.Presence.Writes)
	to.count("presence_bytes_total", "Bytes of these writes.", r.Presence.Bytes)
	to.count("presence_conflicts_total", "Writes of who is on a subject that another bridge was faster than; they are tried again.", r.Presence.Conflicts)
	to.count("presence_failures_total", "Writes of who is on a subject that NATS did not take; they are tried again.", r.Presence.Failures)
	to.count("presence_unlisted_total", "Connections that were not listed, because their address or caller had too many places in lists.", r.Presence.Unlisted)
}

func (to sink) runs(r reading) {
	to.gauge("runs_open", "Questions that were asked here and have no complete answer.", r.Runs.Open)
	to.count("runs_asked_total", "Questions that reached a responder.", r.Runs.Asked)
	to.count("runs_unheard_total", "Questions that reached no responder.", r.Runs.Unheard)
	by(to, "runs_ended_total", "Questions asked here whose answers are complete (ended), or have ended with an error (failed), silence included.", "result", map[string]uint64{"ended": r.Runs.Ended, "failed": r.Runs.Failed})
	to.count("runs_silent_total", "Questions whose answers this bridge has ended, because none came for TAILWATER_ANSWERS_SILENCE.", r.Runs.Silent)
	to.count("runs_stopped_total", "Requests to stop passed on to whoever answers.", r.Runs.Stopped)
	to.count("runs_replied_total", "Answers to queries of whoever answers a question.", r.Runs.Replied)
}

func (to sink) nats(r reading) {
	n := r.NATS
	to.state("nats_connected", "1 while there is a connection to NATS.", n.Connected)
	to.count("nats_connects_total", "Connections made to NATS.", n.Connects)
	to.gauge("nats_taps", "Streams being read, by one consumer each.", n.Taps)
	to.gauge("nats_taps_waiting", "Streams that cannot be read yet; their readers wait.", n.TapsWaiting)
	to.gauge("nats_tap_lag_messages", "Messages that wait to be received from the stream of which this bridge is furthest behind.", int(n.TapLag.Messages))
	to.seconds("nats_tap_lag_seconds", "How long the oldest of them has been stored at most.", n.TapLag.Time)
	by(to, "nats_errors_total", "Errors of the connections to NATS: the connection was lost, could not be made (connect, each attempt), a subject was refused, there are too many subscriptions (limit), messages arrived too fast (dropped), other.", "kind", n.Errors)
	to.since("nats_last_error_timestamp_seconds", "When the last of these errors occurred.", n.LastError)
	to.gauge("nats_subscriptions", "Open core NATS subscriptions.", n.Subscriptions)
	to.gauge("nats_subscriptions_refused", "Subjects that NATS refuses the bridge to subscribe to; their readers wait.", n.Deaf)
	silent := map[string]int{}
	if n.Silence.For > 0 {
		silent[n.Silence.Stream] = int(n.Silence.For.Seconds())
	}
	by(to, "nats_silence_seconds", "How long a stream, or with an empty name JetStream, has not answered on a connection that is up.", "stream", silent)
	to.count("nats_dropped_total", "Messages lost because they arrived faster than this process could handle them.", n.Dropped)
}

// The histograms, which are filled where they are measured.
var (
	delays = durations("delivery_delay_seconds", "How long messages took from their publication (for a stored message, the time that its stream gave it) until they were written to a connection. This is a sample: one write in a millisecond of an event loop, and one in 64 of many. What is replayed does not count.")
	posts  = durations("post_duration_seconds", "How long POSTs took that publish, whatever the result: from their headers to their answer, the time for their bodies included.")
)

// durations describes a histogram of seconds: a native one, and for those who read the text format, a classic one.
func durations(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: prefix + name, Help: help,
		Buckets:                     []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
	}
}

const prefix = "tailwater_"

// sink takes a metric with its present values; none if there is nothing to say.
type sink func(Metric, []value)

// value is that of one time series.
type value struct {
	number float64
	labels []string
}

// labelled passes on a counter, if its name says so, or a gauge.
func (to sink) labelled(name, help string, labels []string, values ...value) {
	kind := "gauge"
	if strings.HasSuffix(name, "_total") {
		kind = "counter"
	}
	to(Metric{prefix + name, help, kind, labels}, values)
}

// by is labelled for one label.
func by[N int | int64 | uint64](to sink, name, help, label string, numbers map[string]N) {
	var values []value
	for of, number := range numbers {
		values = append(values, value{float64(number), []string{of}})
	}
	to.labelled(name, help, []string{label}, values...)
}

func (to sink) plain(name, help string, number float64) {
	to.labelled(name, help, nil, value{number: number})
}

func (to sink) gauge(name, help string, number int)    { to.plain(name, help, float64(number)) }
func (to sink) count(name, help string, number uint64) { to.plain(name, help, float64(number)) }
func (to sink) seconds(name, help string, length time.Duration) {
	to.plain(name, help, length.Seconds())
}

// state passes on 1 for true and 0 for false.
func (to sink) state(name, help string, is bool) {
	number := 0
	if is {
		number = 1
	}
	to.gauge(name, help, number)
}

// since passes on when something happened, if it has.
func (to sink) since(name, help string, at time.Time) {
	var values []value
	if !at.IsZero() {
		values = append(values, value{number: float64(at.UnixMilli()) / 1000})
	}
	to.labelled(name, help, nil, values...)
}

// histogram says only what a histogram is: its values are in the registry.
func (to sink) histogram(h prometheus.HistogramOpts) {
	to(Metric{h.Name, h.Help, "histogram", nil}, nil)
}
