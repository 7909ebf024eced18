package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/httpapi"
)

// proxies are those of these tests.
var proxies = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8"),
}

func from(peer string, forwarded ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for _, line := range forwarded {
		r.Header.Add("X-Forwarded-For", line)
	}
	return r
}

func TestAddress(t *testing.T) {
	api := httpapi.New(httpapi.Config{Proxies: proxies})
	for _, test := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		// Without a proxy, or with a stranger who says to be one.
		{"192.0.2.1:1234", nil, "192.0.2.1"},
		{"192.0.2.1:1234", []string{"198.51.100.7"}, "192.0.2.1"},
		{"192.0.2.1:1234", []string{"127.0.0.1, 10.0.0.1"}, "192.0.2.1"},
		{"[::ffff:192.0.2.1]:1234", nil, "192.0.2.1"},
		{"[2001:db8:1:2:3:4:5:6]:1234", nil, "2001:db8:1:2::/64"},
		{"[2001:db8:1:2::1]:1234", nil, "2001:db8:1:2::/64"},
		{"[2001:db8:1:3::1]:1234", nil, "2001:db8:1:3::/64"},
		{"[fe80::1%eth0]:1234", nil, "fe80::/64"},
		// Through proxies: what they saw, and nothing that stands before.
		{"127.0.0.1:1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"[::ffff:127.0.0.1]:1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"127.0.0.1:1", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		{"127.0.0.1:1", []string{"203.0.113.9", "198.51.100.7"}, "198.51.100.7"},
		{"127.0.0.1:1", []string{"203.0.113.9,198.51.100.7 , 10.1.2.3,10.1.2.4"}, "198.51.100.7"},
		{"127.0.0.1:1", []string{"203.0.113.9, 10.1.2.3, 198.51.100.7"}, "198.51.100.7"},
		{"127.0.0.1:1", []string{"10.1.2.3, 10.1.2.4"}, "10.1.2.3"},
		{"127.0.0.1:1", []string{"2001:db8::7"}, "2001:db8::/64"},
		{"[fd00::1]:1", []string{"[2001:db8::7]:4711"}, "2001:db8::/64"},
		{"[fd00::1%eth0]:1", []string{"[2001:db8::7]"}, "2001:db8::/64"},
		{"127.0.0.1:1", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		{"127.0.0.1:1", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"127.0.0.1:1", []string{"fe80::1%eth0"}, "fe80::/64"},
		// Through proxies that write nothing of use.
		{"127.0.0.1:1", nil, "127.0.0.1"},
		{"127.0.0.1:1", []string{""}, "127.0.0.1"},
		{"127.0.0.1:1", []string{",,,"}, "127.0.0.1"},
		{"127.0.0.1:1", []string{"unknown"}, "127.0.0.1"},
		{"127.0.0.1:1", []string{"_hidden, 10.0.0.9"}, "10.0.0.9"},
		{"127.0.0.1:1", []string{"203.0.113.9, 1.2.3"}, "127.0.0.1"},
		{"127.0.0.1:1", []string{"203.0.113.9, 999.1.1.1"}, "127.0.0.1"},
		{"127.0.0.1:1", []string{"198.51.100.7\x00"}, "127.0.0.1"},
		{"127.0.0.1:1", []string{"[[::1]]"}, "127.0.0.1"},
		// Peers without an address are one.
		{"@", nil, "unknown"},
		{"", nil, "unknown"},
		{"/run/tailwater.sock", []string{"198.51.100.7"}, "unknown"},
		{"192.0.2.1", nil, "unknown"},
		{"localhost:1234", nil, "unknown"},
	} {
		if got := api.Address(from(test.peer, test.forwarded...)); got != test.want {
			t.Errorf("%s, %q: %s instead of %s", test.peer, test.forwarded, got, test.want)
		}
	}
}

// A client that is not a proxy cannot change its limit key, whatever it sends.
func FuzzAddress(f *testing.F) {
	for _, text := range []string{"", "127.0.0.1", "10.0.0.1, 10.0.0.2", "[::1]:80", "fe80::1%25", strings.Repeat(",", 1000), "::ffff:10.0.0.1"} {
		f.Add(text)
	}
	api := httpapi.New(httpapi.Config{Proxies: proxies})
	f.Fuzz(func(t *testing.T, text string) {
		if got := api.Address(from("192.0.2.1:1", text)); got != "192.0.2.1" {
			t.Errorf("a stranger is %s", got)
		}
		if got := api.Address(from("127.0.0.1:1", text, "198.51.100.7")); got != "198.51.100.7" {
			t.Errorf("behind a proxy, a stranger is %s", got)
		}
		got := api.Address(from("127.0.0.1:1", text))
		if _, err := netip.ParseAddr(got); err != nil {
			if network, err := netip.ParsePrefix(got); err != nil || network.Bits() != 64 {
				t.Errorf("%q is %s", text, got)
			}
		}
	})
}
