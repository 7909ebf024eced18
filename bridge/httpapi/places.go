package httpapi

import "sync"

// places counts the connections that are open: in all, and of each address while it has some.
type places struct {
	mu   sync.Mutex
	open int
	by   map[string]int
}

// take takes a place, and gives what frees it again, to be called once; nil and the reason where there is none.
func (p *places) take(address string, limits Limits) (free func(), reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.open >= limits.Connections:
		return nil, limitConnections
	case limits.PerAddress == 0:
		p.open++
		return p.leave, ""
	case p.by[address] >= limits.PerAddress:
		return nil, limitAddress
	}
	p.open++
	p.by[address]++
	return func() { p.leaveAs(address) }, ""
}

func (p *places) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
}

func (p *places) leaveAs(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	if p.by[address]--; p.by[address] == 0 {
		delete(p.by, address)
	}
}
