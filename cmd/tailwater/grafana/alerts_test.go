package grafana_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/cmd/tailwater/grafana"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

// TestEveryMetricExists proves that dashboard and alerts name no metric that the bridge does not declare.
func TestEveryMetricExists(t *testing.T) {
	named := regexp.MustCompile(`tailwater_[a-z_]+`).FindAllString(grafana.Alerts()+grafana.Dashboard(), -1)
	for _, name := range named {
		if !slices.ContainsFunc(node.Metrics(), func(m node.Metric) bool {
			return m.Name == name || m.Type == "histogram" && m.Name == strings.TrimSuffix(name, "_bucket")
		}) {
			t.Errorf("there is no metric %s", name)
		}
	}
	if len(named) < 75 {
		t.Errorf("only %d metrics are named", len(named))
	}
}

// TestAlerts has Prometheus's own tool check the rules, and try what they make of a bridge's figures.
func TestAlerts(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("promtool is not installed; Debian's package is prometheus")
	}
	for _, arguments := range [][]string{
		{"check", "rules", filepath.Join(folder, "alerts.yaml")},
		{"test", "rules", filepath.Join("testdata", "alerts_test.yaml")},
	} {
		if out, err := exec.Command(tool, arguments...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
	}
}

// TestRunbooksExist proves that each alert links to a heading of the runbook.
func TestRunbooksExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "RELIABILITY.md"))
	if err != nil {
		t.Skip("there is no RELIABILITY.md")
	}
	headings := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(text), -1) {
		anchor := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		headings[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	for _, anchor := range grafana.Runbooks() {
		if !headings[anchor] {
			t.Errorf("RELIABILITY.md has no heading for #%s", anchor)
		}
	}
}
