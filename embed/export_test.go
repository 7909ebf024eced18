package embed

import "time"

// Attempts is attempts, to be tested without waiting.
type Attempts struct{ attempts }

func (a *Attempts) IsDue(now time.Time) bool { return a.isDue(now) }
func (a *Attempts) AreSpent() bool           { return a.areSpent() }
func (a *Attempts) Note(now time.Time)       { a.note(now) }
func (a *Attempts) Forgive()                 { a.forgive() }
func (a *Attempts) Rest(now time.Time)       { a.rest(now) }
