package outlet

import "time"

// NewByClock is New with another clock on the wall.
func NewByClock(config Config, clock func() time.Time) *Outlet { return newOutlet(config, clock) }

// Networks returns how many networks are counted.
func (p *Places) Networks() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.networks)
}
