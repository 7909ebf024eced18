package check

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// named is a filter in the settings, with its name in the output.
type named struct {
	label  string
	filter bridge.Subject
}

// allNamed returns the filters that get a line: those of routes, then those that anyone may read, then those that are kept,
// then that of answers if this bridge asks.
func allNamed(settings *configs.Settings) []named {
	var all []named
	for _, route := range settings.Routes {
		if route.Asks() {
			continue // what is asked is not stored; its answers are below
		}
		path, _, _ := strings.Cut(route.String(), "=")
		all = append(all, named{path + " -> " + string(route.Filter()), route.Filter()})
	}
	for _, filter := range slices.Concat(settings.Anonymous.Subscribe, settings.History, asked(settings)) {
		if n := (named{string(filter), filter}); !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}

// filters returns each filter in the settings once.
func filters(settings *configs.Settings) []bridge.Subject {
	var all []bridge.Subject
	for _, n := range allNamed(settings) {
		if !slices.Contains(all, n.filter) {
			all = append(all, n.filter)
		}
	}
	return all
}

// writeHoldings prints, for each filter in the settings, the stream that holds it, and what needs repair. Findings about a filter are
// printed below its first line.
func writeHoldings(w io.Writer, settings *configs.Settings, holdings []source.Holding) {
	if len(holdings) == 0 {
		return
	}
	all := allNamed(settings)
	width := 0
	for _, n := range all {
		width = max(width, utf8.RuneCountInString(n.label))
	}
	fmt.Fprintln(w, "\nHistory")
	told := map[bridge.Subject]bool{}
	for _, n := range all {
		i := slices.IndexFunc(holdings, func(h source.Holding) bool { return h.Filter == n.filter })
		if i < 0 {
			continue
		}
		fmt.Fprintf(w, "  %-*s  %s\n", width, n.label, keeper(holdings[i], settings))
		if !told[n.filter] {
			writeFindings(w, holdings[i])
		}
		told[n.filter] = true
	}
}

// keeper returns where the messages of a filter are kept.
func keeper(h source.Holding, settings *configs.Settings) string {
	switch {
	case h.Stream != "":
		return "stream " + h.Stream
	case isKept(h.Filter, settings) && len(h.Findings) == 0:
		return "stream " + node.History(settings).StreamOf(h.Filter) + ", created at the start"
	}
	return "not stored: " + h.Why
}

func writeFindings(w io.Writer, h source.Holding) {
	for _, finding := range h.Findings {
		if finding.Problem != h.Why { // otherwise the line above says it
			fmt.Fprintf(w, "    ! %s\n", finding.Problem)
		}
		if finding.Remedy != "" {
			fmt.Fprintf(w, "      fix: %s\n", finding.Remedy)
		}
	}
}
