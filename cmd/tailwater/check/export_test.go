package check

// What its tests look at from outside.
var (
	WriteHoldings = writeHoldings
	Filters       = filters
)
