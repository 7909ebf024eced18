package sockets

import "unsafe"

// SizeOfPlace is what each socket takes in bytes for its place.
const SizeOfPlace = unsafe.Sizeof(place{})

// Networks returns how many networks are remembered, of those whose clients are counted or owe something.
func (p *Places) Networks() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.networks)
}
