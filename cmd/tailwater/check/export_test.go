package check

// Internals for tests.
var (
	WriteHoldings = writeHoldings
	Filters       = filters
)
