package load

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// client opens the connections of a run and reads them, each share into a tally. There are two: one for Linux, and one
// for every system.
type client interface {
	begin()
	close()                 // returns when nothing runs on
	waiting() time.Duration // how long it has had nothing to do, each share's time added up; negative where that is not known
}

// chooseClient is a variable so that tests on Linux run over both.
var chooseClient = systemClient

// openingAtOnce is how many connections are being opened at one time.
const openingAtOnce = 128

// target is where connections go.
type target struct {
	addr    netip.AddrPort
	plan    *Plan
	started time.Time // of the run; all times are since then
}

// newTarget looks up the address once.
func newTarget(plan *Plan, started time.Time) (*target, error) {
	u, err := plan.stream(0)
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
	return &target{addr: netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), plan: plan, started: started}, nil
}

// now gives the time since the run began.
func (t *target) now() time.Duration { return time.Since(t.started) }

// perAddress is how many connections come from one address: fewer than there are ports for them. Tests lower it.
var perAddress = 28_000

// source gives the address that the i-th connection comes from, which is not valid where the system may choose. One
// address has ports for so many; on loopback there are more addresses.
func (t *target) source(i int) netip.Addr {
	if !t.addr.Addr().Is4() || !t.addr.Addr().IsLoopback() || t.plan.Connections+t.plan.Stalled <= perAddress {
		return netip.Addr{}
	}
	block := 1 + i/perAddress
	return netip.AddrFrom4([4]byte{127, 0, byte(block >> 8), byte(block)})
}

// request gives the text that asks for a subject's stream.
func (t *target) request(subject int) ([]byte, error) {
	u, err := t.plan.stream(subject)
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

// subject gives the name of subject n.
func (p *Plan) subject(n int) string { return strings.ReplaceAll(p.Subject, "{n}", fmt.Sprint(n)) }

func (p *Plan) stream(n int) (*url.URL, error) { return url.Parse(p.fill(p.URL, n)) }
