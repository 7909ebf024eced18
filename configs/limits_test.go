package configs_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/configs"
)

func TestRate(t *testing.T) {
	for text, want := range map[string]configs.Rate{
		"0":           {},
		"20/s":        {Count: 20, Per: time.Second},
		"90/m":        {Count: 90, Per: time.Minute},
		"100000000/s": {Count: 100_000_000, Per: time.Second},
	} {
		environ(t, "TAILWATER_LIMIT_PUBLISH_RATE="+text)
		rate := load(t, "").Limit.PublishRate
		same(t, text, rate, want)
		same(t, "as it was written", rate.String(), text)
	}
	same(t, "a second", configs.Rate{Count: 90, Per: time.Minute}.PerSecond(), 1.5)
	same(t, "no limit", configs.Rate{}.PerSecond(), 0.0)
}

func TestTrustedProxies(t *testing.T) {
	environ(t, meant[0], meant[1], "TAILWATER_HTTP_TRUSTED_PROXIES=127.0.0.1, ::1,10.0.0.0/8,2001:db8::/32,::ffff:192.0.2.1")
	var all []string
	for _, network := range load(t, "").HTTP.TrustedProxies {
		all = append(all, network.String())
	}
	same(t, "networks", strings.Join(all, " "), "127.0.0.1/32 ::1/128 10.0.0.0/8 2001:db8::/32 192.0.2.1/32")
	environ(t, "TAILWATER_HTTP_TRUSTED_PROXIES=")
	same(t, "none", len(load(t, "").HTTP.TrustedProxies), 0)
}

func FuzzRate(f *testing.F) {
	for _, text := range []string{"20/s", "60/m", "0", "", "/", "1/s/s", "-1/s", "99999999999999999999/s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var rate, again configs.Rate
		if rate.Decode(text) != nil {
			return
		}
		if err := again.Decode(rate.String()); err != nil || again != rate || rate.PerSecond() < 0 {
			t.Errorf("%q is %v, which is read as %v: %v", text, rate, again, err)
		}
	})
}

// An accepted network is written back as it was, and trusts no address outside the text.
func FuzzNetworks(f *testing.F) {
	for _, text := range []string{"10.0.0.0/8", "::1", "0.0.0.0/0", "::/0", "::ffff:1.2.3.4", "1.2.3.4/33", "fe80::1%eth0", ",", "1/8"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var networks configs.Networks
		if networks.Decode(text) != nil {
			return
		}
		for _, network := range networks {
			if network.Bits() == 0 || network != network.Masked() || network.Addr().Is4In6() {
				t.Errorf("%q has %v", text, network)
			}
			if again, err := netip.ParsePrefix(network.String()); err != nil || again != network {
				t.Errorf("%v is read as %v: %v", network, again, err)
			}
		}
	})
}

func TestPatience(t *testing.T) {
	for value, want := range map[string]configs.Patience{"forever": {Forever: true}, "30s": {For: 30 * time.Second}, "0s": {}} {
		var p configs.Patience
		if err := p.Decode(value); err != nil || p != want || p.String() != value {
			t.Errorf("%s is read as %v, %v", value, p, err)
		}
	}
	for _, value := range []string{"", "never", "-1s", "30"} {
		if err := new(configs.Patience).Decode(value); err == nil {
			t.Errorf("%q is read", value)
		}
	}
}
