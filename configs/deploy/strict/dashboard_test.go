package strict

import (
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// The dashboard has no field that Grafana does not know, and each panel and query is of a kind that it has.
func TestDashboard(t *testing.T) {
	cog.NewRuntime().RegisterDataqueryVariant(prometheus.VariantConfig())
	cog.NewRuntime().RegisterPanelcfgVariant(timeseries.VariantConfig())
	text, err := os.ReadFile("../grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var decoded dashboard.Dashboard
	if err := decoded.UnmarshalJSONStrict(text); err != nil && err.Error() != "" { // a list of errors, which may be empty
		t.Fatal(err)
	}
	if err := decoded.Validate(); err != nil && err.Error() != "" {
		t.Error(err)
	}
	if len(decoded.Panels) < 30 {
		t.Errorf("only %d panels and rows", len(decoded.Panels))
	}
}
