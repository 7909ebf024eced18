package httpapi

import "net/http"

// ParseSince lets tests look at the parser by itself.
var ParseSince = parseSince

// Address returns whom the limits of a request are for.
func (a *API) Address(r *http.Request) string { return a.address(r) }

// Remembered returns how many callers are remembered for their rate.
func (a *API) Remembered() int {
	a.rates.mu.Lock()
	defer a.rates.mu.Unlock()
	return len(a.rates.young) + len(a.rates.old)
}

// Allow counts a POST of a caller.
func (a *API) Allow(caller string) bool { return a.rates.allow(hashed(caller)) }

// MaxRemembered bounds that.
const MaxRemembered = 2 * maxCallers

// Problems returns the types and statuses of all problems.
func Problems() map[string]int {
	all := map[string]int{errInternal.Type: errInternal.Status}
	for _, p := range problems {
		all[problemBase+p.slug] = p.status
	}
	return all
}
