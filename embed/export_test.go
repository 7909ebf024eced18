package embed

import "time"

// Attempts is attempts, to be tested without waiting.
type Attempts struct{ attempts }

// The results of Next.
const (
	Wait    = wait
	Restart = restart
	GiveUp  = giveUp
)

func (a *Attempts) Next(now time.Time, cause error) step { return a.next(now, cause) }
func (a *Attempts) Restarted(now time.Time)              { a.last = now }
func (a *Attempts) Rest(now time.Time)                   { a.rest(now) }
