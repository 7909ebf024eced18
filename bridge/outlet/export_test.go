package outlet

import "time"

// NewByClock is New with another clock on the wall.
func NewByClock(config Config, clock func() time.Time) *Outlet { return newOutlet(config, clock) }

// Goodbye is how long a connection stays after its last event.
const Goodbye = goodbye
