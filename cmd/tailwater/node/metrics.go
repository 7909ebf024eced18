package node

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metric is one of a bridge's own metrics.
type Metric struct {
	Name, Help string
	Type       string // counter, gauge or histogram
	Labels     []string
}

// declared are all that are declared below, in that order. Documents, dashboard and alert rules are made from them.
var declared []Metric

// Metrics returns the bridge's own metrics. No label holds a subject, a user or an address: the number of time series must not grow with use.
func Metrics() []Metric { return slices.Clone(declared) }

// describe declares a counter, if its name says so, or a gauge.
func describe(name, help string, labels ...string) *prometheus.Desc {
	kind := "gauge"
	if strings.HasSuffix(name, "_total") {
		kind = "counter"
	}
	name = "tailwater_" + name
	declared = append(declared, Metric{name, help, kind, labels})
	return prometheus.NewDesc(name, help, labels, nil)
}

// duration declares a histogram of seconds: a native one, and for those who read the text format, a classic one.
func duration(name, help string) prometheus.HistogramOpts {
	name = "tailwater_" + name
	declared = append(declared, Metric{name, help, "histogram", nil})
	return prometheus.HistogramOpts{
		Name: name, Help: help,
		Buckets:                     []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
	}
}

var (
	descBuild = describe("build_info", "Always 1; the version is in the label.", "version")

	descConnections       = describe("connections", "Open connections of browsers, by their writer: an event loop, or a goroutine per connection (plain).", "writer")
	descConnectionsOpened = describe("connections_opened_total", "Connections opened.")
	descConnectionsClosed = describe("connections_closed_total", "Connections ended: the client disconnected, received nothing for the write timeout (slow), was asked to reconnect because of its age, its token expired or was revoked (auth), an administrator has ended it (kick), its run has ended (run), or this bridge is stopping (drain).", "reason")
	descTurnedAway        = describe("connections_turned_away_total", "Connections asked to reconnect later: too many at once, or the bridge was stopping.")
	descBehind            = describe("connections_behind", "Connections whose clients have lacked something that has arrived for them for 100 ms.")
	descLagTime           = describe("reader_lag_seconds", "How long the slowest client has lacked something that has arrived for it.")
	descLagMessages       = describe("reader_lag_messages", "The most messages that one client lacks of those that have arrived for it. Those that have to be read from a stream count whatever their subject.")
	descDelay             = duration("delivery_delay_seconds", "How long messages took from their publication (for a stored message, the time that its stream gave it) until they were written to a connection. This is a sample: one write in a millisecond of an event loop, and one in 64 of many. What is replayed does not count.")
	descSockets           = describe("sockets", "Connections of browsers, by state: waiting for their clients, which have sent no complete request, or answering. With HTTP/2, each further event stream counts as one.", "state")
	descSocketsEvicted    = describe("sockets_evicted_total", "Connections that waited for their clients and were closed to make room for others.")
	descSocketsRefused    = describe("sockets_refused_total", "Connections closed on arrival, because there was no room and none was waiting for its client.")
	descLimited           = describe("requests_limited_total", "Requests that exceeded a limit: connections in all, connections from one address, posts of one caller, GETs and HEADs of one address (reads), or memory for bodies.", "limit")
	descRefused           = describe("requests_refused_total", "Requests other than POST that were answered with a problem.")
	descRouteRequests     = describe("route_requests_total", "Requests by route and method, refused ones included. Pages, sessions, and what is no route, are other.", "route", "method")
	descRouteProblems     = describe("route_problems_total", "Requests that were answered with a problem, by route, method and status.", "route", "method", "code")

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
	descResumes   = describe("resumes_total", "Connections that brought a position, by how they continued: exactly, after a gap, or after a reset.", "result", "reason")
	descReplayEnd = describe("replays_total", "Replays that clients asked for: complete, or abandoned, because their clients left before.", "result")
	descReplayed  = describe("replay_events_total", "Stored messages read for connections that were behind; each counts once, for any number of connections.")
	descReplays   = describe("replay_reads_total", "Reads of streams for connections that were behind.")
	descReplayBad = describe("replay_errors_total", "Failed reads of streams; they are repeated.")
	descHeaders   = describe("message_headers_broken_total", "Messages delivered without their headers, because these cannot be decoded; counted at each read.")
	descNames     = describe("event_names_refused_total", "Event names of NATS publishers that were removed, because publishers may not use them.")

	descPublishes = describe("publishes_total", "POSTs by result: accepted, refused (because of the request), unavailable (because of NATS), failed.", "result")
	descPostTime  = duration("post_duration_seconds", "How long POSTs took that publish, whatever the result: from their headers to their answer, the time for their bodies included.")

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
	descRunsReplied = describe("runs_replied_total", "Answers to queries of whoever answers a question.")

	descAuthReady     = describe("auth_ready", "1 while tokens can be checked: revocations have been read.")
	descAuthRevoked   = describe("auth_revoked_keys", "Keys in the bucket of revoked tokens and callers.")
	descAuthKeys      = describe("auth_keys_timestamp_seconds", "When the key set of TAILWATER_AUTH_JWKS_URL was read.")
	descAuthRevokedAt = describe("auth_revocations_timestamp_seconds", "Up to when revocations are known: until now, or while NATS is unreachable, until it was lost.")

	descConnected     = describe("nats_connected", "1 while there is a connection to NATS.")
	descConnects      = describe("nats_connects_total", "Connections made to NATS.")
	descTaps          = describe("nats_taps", "Streams being read, by one consumer each.")
	descTapsWaiting   = describe("nats_taps_waiting", "Streams that cannot be read yet; their readers wait.")
	descTapMessages   = describe("nats_tap_lag_messages", "Messages that wait to be received from the stream of which this bridge is furthest behind.")
	descTapTime       = describe("nats_tap_lag_seconds", "How long the oldest of them has been stored at most.")
	descErrors        = describe("nats_errors_total", "Errors of the connections to NATS: the connection was lost, could not be made (connect, each attempt), a subject was refused, there are too many subscriptions (limit), messages arrived too fast (dropped), other.", "kind")
	descLastError     = describe("nats_last_error_timestamp_seconds", "When the last of these errors occurred.")
	descSubscriptions = describe("nats_subscriptions", "Open core NATS subscriptions.")
	descDeaf          = describe("nats_subscriptions_refused", "Subjects that NATS refuses the bridge to subscribe to; their readers wait.")
	descSilence       = describe("nats_silence_seconds", "How long a stream, or with an empty name JetStream, has not answered on a connection that is up.", "stream")
	descStoreBroken   = describe("embedded_store_broken", "1 while the embedded NATS server cannot store.")
	descRestarts      = describe("embedded_restarts_total", "How often the embedded NATS server was restarted, because its store was broken.")
	descDropped       = describe("nats_dropped_total", "Messages lost because they arrived faster than this process could handle them.")
)
