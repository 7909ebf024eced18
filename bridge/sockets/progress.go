package sockets

import "time"

// Progress tracks whether a client receives what is written. The kernel's TCP_USER_TIMEOUT cannot be used: it also cuts clients that receive
// little at a time. A client whose network is gone is noticed because it does not acknowledge a heartbeat.
type Progress struct {
	Sent  uint64        // bytes written to the kernel
	taken uint64        // bytes that the client had received at the last check
	Since time.Duration // when taken was first seen with more outstanding; 0 for never
}

// Stalled checks, from the number of bytes still in the kernel, whether the client has received nothing for the timeout. Times count from any
// moment, but must not be 0.
func (p *Progress) Stalled(unsent int, now, timeout time.Duration) bool {
	if unsent == 0 {
		p.Since = 0
		return false
	}
	// A running write may be in the kernel, and not yet counted.
	if taken := p.Sent - min(p.Sent, uint64(unsent)); p.Since == 0 || taken > p.taken {
		p.taken, p.Since = taken, now
	}
	return now >= p.Since+timeout
}
