package configs

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Address is where to listen: host:port, as net.Listen accepts it. An empty host means every interface, port 0 a free port.
// The zero value means no listener.
type Address string

// Decode reads an Address.
func (a *Address) Decode(value string) error {
	host, port, err := net.SplitHostPort(value)
	if err != nil || strings.ContainsAny(host, "/@* ") {
		return fmt.Errorf("%q is not host:port; write it like 127.0.0.1:8080, [::1]:8080, or :8080 for every interface", value)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q: the port must be a number from 0 (any free port) to 65535", value)
	}
	*a = Address(value)
	return nil
}

// Loopback reports whether only this machine can reach a listener at addr, host:port. An empty host means every interface, so the
// answer is false.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// clashes reports whether a and b cannot both be listened on. It knows the usual cases; the kernel refuses the others.
func (a Address) clashes(b Address) bool {
	hostA, portA := a.split()
	hostB, portB := b.split()
	return portA == portB && portA != 0 && (includes(hostA, hostB) || includes(hostB, hostA))
}

func (a Address) split() (host string, port int) {
	host, text, _ := net.SplitHostPort(string(a))
	port, _ = strconv.Atoi(text)
	if strings.EqualFold(host, "localhost") {
		host = "127.0.0.1"
	}
	return strings.ToLower(host), port
}

// includes reports whether a listener on wide receives connections to host. On "" and [::] Go also listens for IPv4.
func includes(wide, host string) bool {
	return wide == host || wide == "" || wide == "::" || wide == "0.0.0.0" && !strings.Contains(host, ":")
}
