package outlet

import "time"

// progress tells whether a client takes what is written to it. The kernel's own TCP_USER_TIMEOUT is of no use for that: it
// cuts clients as well which take little at a time. A client whose network is gone takes nothing either, and is noticed
// by a heartbeat that it does not acknowledge.
type progress struct {
	sent  uint64        // how many bytes the kernel was given
	taken uint64        // how many of them the client had taken, when that was last looked at
	since time.Duration // when it was first seen to have taken so much, and not all; 0 for none
}

// stalled looks at how many bytes the kernel still has, and tells whether the client has taken nothing for the timeout.
// Times are counted from anywhere, but not 0.
func (p *progress) stalled(unsent int, now, timeout time.Duration) bool {
	if unsent == 0 {
		p.since = 0
		return false
	}
	// A write that is under way may be in the kernel, and not yet counted.
	if taken := p.sent - min(p.sent, uint64(unsent)); p.since == 0 || taken > p.taken {
		p.taken, p.since = taken, now
	}
	return now >= p.since+timeout
}
