package outlet

import "time"

// NewByClock is New with another clock on the wall.
func NewByClock(config Config, clock func() time.Time) *Outlet { return newOutlet(config, clock) }
