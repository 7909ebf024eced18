package grafana_test

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/cmd/tailwater/grafana"
)

//go:generate go test -run ^TestGenerated$ -update .

var update = flag.Bool("update", false, "write the generated files instead of comparing them")

// folder holds the generated files.
var folder = filepath.Join("..", "..", "..", "configs", "deploy", "grafana")

// TestGenerated compares the generated files with those of the folder.
func TestGenerated(t *testing.T) {
	for name, text := range map[string]string{"README.md": grafana.Page(), "alerts.yaml": grafana.Alerts(), "dashboard.json": grafana.Dashboard()} {
		bridgetest.Document(t, filepath.Join(folder, name), "go generate ./cmd/tailwater/grafana", *update, func(string) string { return text })
	}
}
