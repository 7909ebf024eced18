package configs

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Rate is how often something may happen; the zero value means no limit.
type Rate struct {
	Count int
	Per   time.Duration // a second or a minute
}

// maxRate is far more than a process can do.
const maxRate = 100_000_000

// Decode reads a Rate.
func (r *Rate) Decode(value string) error {
	if value == "0" {
		*r = Rate{}
		return nil
	}
	number, unit, _ := strings.Cut(value, "/")
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute}[unit]
	count, err := strconv.ParseUint(number, 10, 32)
	switch {
	case err != nil || per == 0:
		return fmt.Errorf("%q is not a rate; write a number per second or minute, such as 20/s or 60/m, or 0 for no limit", value)
	case count == 0 || count > maxRate:
		return fmt.Errorf("%q is out of range; write 1 to %d, or 0 alone for no limit", value, maxRate)
	}
	*r = Rate{int(count), per}
	return nil
}

// String returns the text that Decode reads.
func (r Rate) String() string {
	switch r.Per {
	case 0:
		return "0"
	case time.Minute:
		return strconv.Itoa(r.Count) + "/m"
	}
	return strconv.Itoa(r.Count) + "/s"
}

// PerSecond returns the rate per second; 0 for no limit.
func (r Rate) PerSecond() float64 {
	if r.Per == 0 {
		return 0
	}
	return float64(r.Count) / r.Per.Seconds()
}

// Networks are networks of addresses.
type Networks []netip.Prefix

// Decode reads Networks, separated by commas.
func (n *Networks) Decode(value string) error {
	return decodeList((*[]netip.Prefix)(n), value, parseNetwork)
}

func parseNetwork(entry string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(entry); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(entry)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is not a network; write addresses or networks, such as 127.0.0.1 or 10.0.0.0/8", entry)
	case network.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%q is IPv4 in IPv6; write it as IPv4, such as 10.0.0.0/8", entry)
	case network.Bits() == 0:
		return netip.Prefix{}, errors.New("it contains every address, so any client could choose the address that is counted; name the networks of your proxies")
	case network != network.Masked():
		return netip.Prefix{}, fmt.Errorf("%q has bits set after its mask; write %s", entry, network.Masked())
	}
	return network, nil
}
