package grafana

import (
	"fmt"
	"strings"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

// Page returns the page of all metrics.
func Page() string {
	var page strings.Builder
	page.WriteString(intro)
	page.WriteString("| Metric | Type | Labels | What it says |\n|---|---|---|---|\n")
	for _, metric := range node.Metrics() {
		labels := ""
		if len(metric.Labels) > 0 {
			labels = "`" + strings.Join(metric.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", metric.Name, metric.Type, labels, metric.Help)
	}
	return page.String()
}

const intro = `<!-- Generated from cmd/tailwater/node/metrics.go by: go generate ./cmd/tailwater/grafana -->
# Metrics

` + "`/metrics`" + ` of ` + "`TAILWATER_ADMIN_LISTEN`" + ` has them, beside those of Go and of the process. No label holds a subject, a caller or an address. Metrics of
presence, runs and tokens exist where these are on, and those of the embedded server where there is one. Histograms are native ones for a Prometheus that asks for them, and classic ones for others.

`
