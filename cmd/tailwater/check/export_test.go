package check

import (
	"io"
	"text/tabwriter"

	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/configs"
)

// Internals for tests.
var (
	WriteHoldings = writeHoldings
	Filters       = filters
	Permitted     = permitted
)

func WriteService(w io.Writer, settings *configs.Settings, dial source.Dialer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	report{table}.service(settings, "", dial)
	_ = table.Flush()
}
