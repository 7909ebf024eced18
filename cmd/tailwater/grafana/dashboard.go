package grafana

import (
	"encoding/json"
	"fmt"
)

// panel is one picture of the dashboard.
type panel struct {
	title   string
	unit    string // of Grafana: s, ops, Bps, bytes, short, percentunit
	about   string
	queries []query
}

type query struct {
	text   string // see fill
	legend string
	isRare bool // it gives nothing on most bridges
}

// row is a line of panels under one heading.
type row struct {
	title  string
	panels []panel
}

// window is the span of a rate, which Grafana fits to the picture.
const window = "$__rate_interval"

// per returns the query for how often something happens each second, by a label.
func per(name, by string) query {
	q := query{text: "sum by (" + by + ") (rate({" + name + "}[" + window + "]))", legend: name}
	if by != "" {
		q.legend = "{{" + by + "}}"
	}
	return q
}

func now(name, by, legend string) query {
	return query{text: "sum by (" + by + ") ({" + name + "})", legend: legend}
}

func most(name, legend string) query { return query{text: "max({" + name + "})", legend: legend} }

// delays are a histogram's quantiles.
func delays(name string) []query {
	return []query{
		{text: quantile("0.5", name, window, ""), legend: "half"}, {text: quantile("0.99", name, window, ""), legend: "99 %"}, {text: quantile("0.999", name, window, ""), legend: "99.9 %"},
	}
}

var rows = []row{
	{"Browsers and messages", []panel{
		{"Connections", "short", "Open connections, by what writes them.", []query{now("connections", "writer", "{{writer}}")}},
		{"Connections opened and closed", "ops", "A bridge that is rolled shows drain here; clients that take nothing, slow.", []query{per("connections_opened_total", ""), per("connections_closed_total", "reason")}},
		{"Messages", "ops", "Received once from NATS, written to every reader.", []query{{text: "sum(rate({events_in_total}[" + window + "]))", legend: "in"}, {text: "sum(rate({events_out_total}[" + window + "]))", legend: "out"}}},
		{"Bytes", "Bps", "", []query{{text: "sum(rate({bytes_in_total}[" + window + "]))", legend: "in"}, {text: "sum(rate({bytes_out_total}[" + window + "]))", legend: "out"}}},
	}},
	{"How late", []panel{
		{"From publication to the socket", "s", "A sample of live messages. What is replayed does not count.", delays("delivery_delay_seconds")},
		{"POSTs", "s", "From their headers to their answer, the time for their bodies included.", delays("post_duration_seconds")},
		{"Clients behind", "short", "Clients that lack something that has arrived for them; /debug/connections names them.", []query{now("connections_behind", "instance", "{{instance}}")}},
		{"Slowest client", "s", "How long one client has lacked something.", []query{most("reader_lag_seconds", "late")}},
		{"Taps", "s", "How old what waits on NATS is.", []query{most("nats_tap_lag_seconds", "late"), {text: "max({nats_tap_lag_messages})", legend: "messages"}, {text: "sum({nats_taps_waiting})", legend: "cannot be read"}}},
	}},
	{"What returning clients get", []panel{
		{"Resumes", "ops", "Exactly, after a gap, or after a reset.", []query{{text: "sum by (result, reason) (rate({resumes_total}[" + window + "]))", legend: "{{result}} {{reason}}"}}},
		{"Gaps and resets", "ops", "Told to clients that were connected, too.", []query{per("gaps_total", "reason"), {text: "sum by (reason) (rate({resets_total}[" + window + "]))", legend: "reset: {{reason}}"}}},
		{"Replays", "ops", "", []query{per("replays_total", "result"), {text: "sum(rate({replay_reads_total}[" + window + "]))", legend: "reads"}, {text: "sum(rate({replay_errors_total}[" + window + "]))", legend: "failed reads"}}},
	}},
	{"Requests", []panel{
		{"Requests by route", "ops", "", []query{{text: "sum by (route, method) (rate({route_requests_total}[" + window + "]))", legend: "{{method}} {{route}}"}}},
		{"Problems by route", "ops", "Empty while there are none.", []query{{text: "sum by (route, method, code) (rate({route_problems_total}[" + window + "])) or vector(0)", legend: "{{method}} {{route}} {{code}}"}}},
		{"POSTs by result", "ops", "", []query{per("publishes_total", "result")}},
		{"Limits exceeded", "ops", "", []query{per("requests_limited_total", "limit"), {text: "sum(rate({sockets_refused_total}[" + window + "]))", legend: "sockets refused"}}},
	}},
	{"NATS", []panel{
		{"Connected", "short", "1 for each bridge that has a connection.", []query{now("nats_connected", "instance", "{{instance}}")}},
		{"Errors", "ops", "", []query{per("nats_errors_total", "kind"), {text: "sum(rate({nats_dropped_total}[" + window + "]))", legend: "messages lost"}}},
		{"Last error", "s", "How long ago; nothing before the first.", []query{{text: "time() - max({nats_last_error_timestamp_seconds})", legend: "ago", isRare: true}}},
		{"Streams and subscriptions", "short", "", []query{now("nats_taps", "", "streams"), now("nats_subscriptions", "", "subscriptions"), now("feeds", "", "feeds")}},
	}},
	{"Presence, questions and tokens", []panel{
		{"Members", "short", "Empty without TAILWATER_PRESENCE.", []query{{text: "sum({presence_members}) or vector(0)", legend: "named"}, {text: "sum({presence_unnamed}) or vector(0)", legend: "unnamed"}}},
		{"Questions", "ops", "", []query{{text: "sum(rate({runs_asked_total}[" + window + "])) or vector(0)", legend: "asked"}, {text: "sum by (result) (rate({runs_ended_total}[" + window + "])) or vector(0)", legend: "{{result}}"}, {text: "sum({runs_open}) or vector(0)", legend: "open"}}},
		{"Age of keys and revocations", "s", "Empty without tokens.", []query{{text: "time() - min({auth_keys_timestamp_seconds})", legend: "keys", isRare: true}, {text: "time() - min({auth_revocations_timestamp_seconds})", legend: "revocations", isRare: true}}},
	}},
	{"The process", []panel{
		{"Processors", "short", "", []query{{text: "sum by (instance) (rate({process_cpu_seconds_total}[" + window + "]))", legend: "{{instance}}"}}},
		{"Memory", "bytes", "", []query{{text: "sum by (instance) ({process_resident_memory_bytes})", legend: "{{instance}}"}}},
		{"Share of TAILWATER_MEMORY", "percentunit", "Frames and pages are kept for as long as there is room.", []query{{text: "max by (part) ({memory_bytes} / {memory_limit_bytes})", legend: "{{part}}"}}},
		{"Descriptors and goroutines", "short", "", []query{{text: "sum({process_open_fds})", legend: "descriptors"}, {text: "sum({go_goroutines})", legend: "goroutines"}}},
	}},
}

// Dashboard returns the dashboard, for Grafana's import.
func Dashboard() string {
	source := map[string]string{"type": "prometheus", "uid": "${datasource}"}
	var panels []any
	y, id := 0, 0
	for _, row := range rows {
		id++
		panels = append(panels, map[string]any{"id": id, "type": "row", "title": row.title, "collapsed": false, "panels": []any{}, "gridPos": grid(0, y, 24, 1)})
		y++
		for i, p := range row.panels {
			id++
			wide := 24 / len(row.panels)
			panels = append(panels, map[string]any{
				"id": id, "type": "timeseries", "title": p.title, "description": p.about, "datasource": source,
				"gridPos": grid(i*wide, y, wide, 8), "targets": targets(p.queries, source),
				"fieldConfig": map[string]any{"defaults": map[string]any{"unit": p.unit, "min": 0}, "overrides": []any{}},
				"options":     map[string]any{"tooltip": map[string]string{"mode": "multi", "sort": "desc"}, "legend": map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}}},
			})
		}
		y += 8
	}
	text, err := json.MarshalIndent(map[string]any{
		"uid": "tailwater", "title": "Tailwater", "description": "Generated by: go generate ./cmd/tailwater/grafana", "tags": []string{"tailwater"},
		"schemaVersion": 39, "editable": true, "graphTooltip": 1, "refresh": "10s", "time": map[string]string{"from": "now-1h", "to": "now"},
		"timezone": "browser", "panels": panels, "annotations": map[string]any{"list": []any{}},
		"templating": map[string]any{"list": []any{
			map[string]any{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
			map[string]any{
				"name": "instance", "label": "Bridge", "type": "query", "datasource": source, "query": "label_values(" + metric("build_info") + ", instance)",
				"refresh": 2, "includeAll": true, "multi": true, "allValue": ".*",
			},
		}},
	}, "", "  ")
	if err != nil {
		panic(err) // the value is constant
	}
	return string(text) + "\n"
}

func grid(x, y, w, h int) map[string]int { return map[string]int{"x": x, "y": y, "w": w, "h": h} }

func targets(queries []query, source any) (all []any) {
	for i, q := range queries {
		all = append(all, map[string]any{
			"refId": string(rune('A' + i)), "datasource": source, "expr": fill(q.text, `instance=~"$instance"`), "legendFormat": q.legend,
		})
	}
	return all
}

// Query is a query of the dashboard. A rare one gives nothing on most bridges.
type Query struct {
	Panel, Text string
	IsRare      bool
}

// Queries returns all queries of the dashboard. Grafana replaces $instance and $__rate_interval.
func Queries() (all []Query) {
	for _, row := range rows {
		for _, p := range row.panels {
			for i, q := range p.queries {
				all = append(all, Query{fmt.Sprintf("%s %c", p.title, 'A'+i), fill(q.text, `instance=~"$instance"`), q.isRare})
			}
		}
	}
	return all
}
