package node

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/outlet"
)

// debugPages are what the index at /debug/ links.
var debugPages = []struct{ Path, About string }{
	{"/debug/connections", "the slowest and the oldest connections; ?limit= says how many, Accept: application/json asks for JSON"},
	{"/metrics", "all counters, for Prometheus"},
	{"/healthz", "whether the process is alive"},
	{"/readyz", "whether browsers should be sent here, and what does not work"},
	{"/debug/pprof/", "profiles of Go: memory, goroutines, locks"},
	{"/debug/pprof/profile?seconds=10", "where the processor's time goes, for go tool pprof"},
	{"/debug/pprof/trace?seconds=1", "what the scheduler does, for go tool trace"},
}

// debug adds the pages that reveal much and cost much.
func (a *admin) debug(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/{$}", debugIndex)
	mux.HandleFunc("GET /debug/connections", a.connections)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

func debugIndex(w http.ResponseWriter, r *http.Request) {
	media, head, line := "text/plain", "", "%-32[1]s %[2]s\n"
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		media, line = "text/html", "<li><a href=\"%[1]s\">%[1]s</a>: %[2]s\n"
		head = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Tailwater: debug</title>\n<h1>Tailwater</h1>\n<ul>\n"
	}
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	fmt.Fprint(w, head)
	for _, page := range debugPages {
		fmt.Fprintf(w, line, page.Path, page.About)
	}
}

const (
	// usualConnections is how many connections each list has without ?limit=, and mostConnections with any.
	usualConnections, mostConnections = 20, 200
	// debugPatience is how long event loops may take to look at their connections.
	debugPatience = 5 * time.Second
)

// connections answers with the slowest and the oldest connections, as JSON or as a table.
func (a *admin) connections(w http.ResponseWriter, r *http.Request) {
	limit := usualConnections
	if text := r.URL.Query().Get("limit"); text != "" {
		asked, err := strconv.Atoi(text)
		if err != nil || asked < 1 || asked > mostConnections {
			http.Error(w, fmt.Sprintf("limit=%.20s; write a number from 1 to %d", text, mostConnections), http.StatusBadRequest)
			return
		}
		limit = asked
	}
	ctx, cancel := context.WithTimeout(r.Context(), debugPatience)
	defer cancel()
	list := listed(a.node.Live.Stats().Connections.Open, a.node.Live.Survey(ctx, limit))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(list) // fails only if the client is gone
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	list.write(w)
}

// connectionList is what /debug/connections answers.
type connectionList struct {
	Open     int          `json:"open"`
	Behind   int          `json:"behind"`
	Complete bool         `json:"complete"` // all event loops have answered in time
	Slowest  []connection `json:"slowest"`
	Oldest   []connection `json:"oldest"`
}

type connection struct {
	Subjects []bridge.Subject `json:"subjects"`
	Caller   string           `json:"caller"`
	Address  netip.Addr       `json:"address"`
	Writer   string           `json:"writer"`
	Age      float64          `json:"age_seconds"`
	Late     float64          `json:"behind_seconds"`
	Messages uint64           `json:"behind_messages"`
	Bytes    int              `json:"behind_bytes"`
	Older    uint64           `json:"older_messages"`
	Unsent   int              `json:"unsent_bytes"`
	Stalled  float64          `json:"stalled_seconds"`
	Opening  bool             `json:"opening"`
}

func listed(open int, survey outlet.Survey) connectionList {
	return connectionList{
		Open: open, Behind: survey.Behind, Complete: !survey.Missing, Slowest: described(survey.Slowest), Oldest: described(survey.Oldest),
	}
}

func described(all []outlet.Connection) []connection {
	list := make([]connection, 0, len(all))
	for _, c := range all {
		list = append(list, connection{
			c.Subjects, c.Caller, c.Address, c.Writer, c.Age.Seconds(), c.Late.Seconds(),
			c.Lag.Messages, c.Lag.Bytes, c.Lag.Older, c.Unsent, c.Stalled.Seconds(), c.Lag.IsOpening,
		})
	}
	return list
}

// write writes the list as text.
func (l connectionList) write(w io.Writer) {
	fmt.Fprintf(w, "%d connections, %d of them behind\n", l.Open, l.Behind)
	if !l.Complete {
		fmt.Fprintln(w, "an event loop has not answered in time, so its connections are missing")
	}
	writeConnections(w, "slowest", l.Slowest)
	writeConnections(w, "oldest", l.Oldest)
}

func writeConnections(w io.Writer, title string, list []connection) {
	fmt.Fprintf(w, "\n%s\n", title)
	if len(list) == 0 {
		fmt.Fprintln(w, "none")
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "behind\tmessages\tbytes\tolder\tunsent\tstalled\tage\twriter\taddress\tcaller\tsubjects")
	for _, c := range list {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n",
			seconds(c.Late), c.Messages, c.Bytes, c.Older, c.Unsent, seconds(c.Stalled), seconds(c.Age), c.Writer, c.Address, printable(cmp.Or(c.Caller, "-")), some(c.Subjects))
	}
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

// some names a few subjects, and how many others there are.
func some(subjects []bridge.Subject) string {
	const few = 3
	var names []string
	for _, subject := range subjects[:min(few, len(subjects))] {
		names = append(names, string(subject))
	}
	if more := len(subjects) - few; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, " ")
}

// printable returns a name that a terminal shows as it is: tokens may name callers as they like.
func printable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}
