package load

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// client opens the connections of a run and reads them, with a tally for each loop. There is one for Linux, and one for every system.
type client interface {
	begin()
	close()                 // returns when everything has ended
	waiting() time.Duration // idle time of all loops, added up; negative if unknown
}

// chooseClient is a variable so that tests on Linux can use both.
var chooseClient = systemClient

// openingAtOnce is how many connections are being opened at the same time.
const openingAtOnce = 128

// target is the servers to connect to.
type target struct {
	addrs   []netip.AddrPort // one for each URL
	plan    *Plan
	started time.Time // start of the run; all times count from it
}

// newTarget resolves each address once.
func newTarget(plan *Plan, started time.Time) (*target, error) {
	t := &target{plan: plan, started: started}
	for i := range plan.URLs {
		u, err := plan.stream(i, 0)
		if err != nil {
			return nil, err
		}
		port := u.Port()
		if port == "" {
			port = "80"
		}
		addr, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(u.Hostname(), port))
		if err != nil {
			return nil, fmt.Errorf("find the server: %w", err)
		}
		at := addr.AddrPort()
		t.addrs = append(t.addrs, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()))
	}
	return t, nil
}

// addr returns the address to which the i-th connection goes.
func (t *target) addr(i int) netip.AddrPort { return t.addrs[i%len(t.addrs)] }

// now returns the time since the run began.
func (t *target) now() time.Duration { return time.Since(t.started) }

// perAddress is how many connections come from one address: fewer than it has ports. Tests lower it.
var perAddress = 28_000

// source returns the address from which the i-th connection comes; the zero Addr if the system may choose. An address has a limited number
// of ports; loopback has more addresses.
func (t *target) source(i int) netip.Addr {
	if to := t.addr(i).Addr(); !to.Is4() || !to.IsLoopback() || t.plan.Connections+t.plan.Stalled <= perAddress {
		return netip.Addr{}
	}
	block := 1 + i/perAddress
	return netip.AddrFrom4([4]byte{127, 0, byte(block >> 8), byte(block)})
}

// request returns the text of the i-th connection's request for a subject's stream.
func (t *target) request(i, subject int) ([]byte, error) {
	u, err := t.plan.stream(i, subject)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n", u.RequestURI(), u.Host)
	for _, header := range t.plan.Header {
		b.WriteString(header + "\r\n")
	}
	return []byte(b.String() + "\r\n"), nil
}

// fill puts subject n into a template.
func (p *Plan) fill(template string, n int) string {
	return strings.ReplaceAll(template, "{subject}", url.PathEscape(p.subject(n)))
}

// subject returns the name of subject n.
func (p *Plan) subject(n int) string { return strings.ReplaceAll(p.Subject, "{n}", fmt.Sprint(n)) }

// stream returns the URL at which the i-th connection reads subject n.
func (p *Plan) stream(i, n int) (*url.URL, error) {
	return url.Parse(p.fill(p.URLs[i%len(p.URLs)], n))
}
