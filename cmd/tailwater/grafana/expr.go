package grafana

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

// fill replaces each {name} of a query by the bridge's metric of that name, with the labels that follow the name, and the ones that choose among
// bridges. It panics for a name that the bridge does not have.
func fill(query, choice string) string {
	var filled strings.Builder
	for {
		before, rest, found := strings.Cut(query, "{")
		filled.WriteString(before)
		if !found {
			return filled.String()
		}
		inside, after, _ := strings.Cut(rest, "}")
		name, labels, _ := strings.Cut(inside, ",")
		filled.WriteString(metric(name))
		if chosen := strings.Trim(labels+","+choice, ","); chosen != "" {
			filled.WriteString("{" + chosen + "}")
		}
		query = after
	}
}

// metric returns the full name of a metric. Those of Go and of the process have their own.
func metric(name string) string {
	if strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "go_") || name == "up" {
		return name
	}
	name = "tailwater_" + name
	for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
		base, is := strings.CutSuffix(name, suffix)
		if is && slices.ContainsFunc(node.Metrics(), func(m node.Metric) bool { return m.Name == base && (suffix == "" || m.Type == "histogram") }) {
			return name
		}
	}
	panic(fmt.Sprintf("there is no metric %s", name))
}

// quantile is the query for a quantile of a histogram: of the classic one, or where Prometheus reads only the native one, of that.
func quantile(q, name, window, by string) string {
	labels := "le"
	if by != "" {
		labels = by + ", le"
	}
	return fmt.Sprintf("(histogram_quantile(%s, sum by (%s) (rate({%s_bucket}[%s]))) or histogram_quantile(%s, sum by (%s) (rate({%s}[%s]))))",
		q, labels, name, window, q, by, name, window)
}
