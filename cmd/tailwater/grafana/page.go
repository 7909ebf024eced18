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

` + "```yaml" + `
# prometheus.yml
scrape_configs:
  - job_name: tailwater # the alert for a bridge that is down needs this name
    static_configs: [{targets: ["127.0.0.1:8081"]}]
rule_files: [alerts.yaml]
` + "```" + `

[alerts.yaml](alerts.yaml) holds the alert rules; each links to what to do. [dashboard.json](dashboard.json) is for Grafana: Dashboards, New, Import. Both are made from the table below, and so cannot
name a metric that does not exist. The dashboard's queries are asked of a Prometheus in the tests; no Grafana has shown it there.

Which clients are slow, and since when, is at ` + "`/debug/connections`" + `, where the listener is a loopback address; ` + "`/debug/`" + ` links what else there is.

`
