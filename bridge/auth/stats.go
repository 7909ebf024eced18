package auth

import "time"

// Stats is how fresh is what tokens are checked with. It is for metrics, not for decisions.
type Stats struct {
	IsReady bool      // revocations are known: tokens can be checked
	Revoked int       // keys of RevokedBucket
	KeysAt  time.Time // when the key set of Config.JWKS was read; the zero value for never, and for keys that are configured
}

// Stats returns the present state.
func (a *Auth) Stats() Stats {
	stats := Stats{IsReady: a.Ready()}
	a.revoked.mu.RLock()
	stats.Revoked = len(a.revoked.keys)
	a.revoked.mu.RUnlock()
	if j, isSet := a.keys.(*jwks); isSet {
		j.mu.Lock()
		stats.KeysAt = j.at
		j.mu.Unlock()
	}
	return stats
}
