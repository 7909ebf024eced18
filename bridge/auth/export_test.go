package auth

import (
	"time"

	"golang.org/x/time/rate"
)

// Hurry lets an Auth ask for its key set as often as there is a reason.
func (a *Auth) Hurry() { a.keys.(*jwks).pace.SetLimit(rate.Inf) }

// Grow lets its key set grow old.
func (a *Auth) Grow() {
	j := a.keys.(*jwks)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.at = time.Now().Add(-2 * refreshEvery)
}

// ParseKeySet lets tests look at the parser by itself, and gives how many keys there are.
func ParseKeySet(text []byte) (int, error) {
	keys, err := parseKeySet(text)
	return len(keys), err
}

// MaxWaiting is how many callers wait for a key set at most.
const MaxWaiting = maxWaiting
