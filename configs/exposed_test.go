package configs_test

import (
	"strings"
	"testing"

	"github.com/tailwater/tailwater/configs"
)

// meant states that the subjects that are open by default are meant to be open.
var meant = []string{"TAILWATER_ANONYMOUS_SUBSCRIBE=chat.>,time.>", "TAILWATER_ANONYMOUS_PUBLISH=chat.>"}

// Each way to be exposed has the same consequences: the defaults of a first look are refused. If the open subjects are set, every
// other default is the strict one.
func TestExposed(t *testing.T) {
	for _, test := range []struct {
		set           string
		setting       string // that is named
		loopbackHosts bool   // whether a browser can still come from this machine alone
	}{
		{"HTTP_LISTEN=:8080", "HTTP_LISTEN", false},
		{"HTTP_LISTEN=192.0.2.1:8080", "HTTP_LISTEN", false},
		{"HTTP_LISTEN=host.localhost:8080", "HTTP_LISTEN", false}, // this machine does not decide what the name means
		{"ADMIN_LISTEN=:9090", "ADMIN_LISTEN", true},
		{"HTTP_HOSTS=chat.example.com", "HTTP_HOSTS", false},
		{"HTTP_HOSTS=localhost,192.0.2.1", "HTTP_HOSTS", false},
		{"HTTP_HOSTS=notlocalhost", "HTTP_HOSTS", false},
		{"HTTP_TRUSTED_PROXIES=127.0.0.1", "HTTP_TRUSTED_PROXIES", false},
		{"HTTP_TRUSTED_PROXIES=10.0.0.0/8", "HTTP_TRUSTED_PROXIES", false},
	} {
		t.Run(test.set, func(t *testing.T) {
			environ(t, "TAILWATER_"+test.set)
			lines := refused(t, "")
			if len(lines) != 1 || !strings.HasPrefix(lines[0], "TAILWATER_"+test.setting+": ") ||
				!strings.Contains(lines[0], "set TAILWATER_ANONYMOUS_SUBSCRIBE and TAILWATER_ANONYMOUS_PUBLISH (to nothing") {
				t.Errorf("the defaults of a first look: %q", lines)
			}
			environ(t, "TAILWATER_"+test.set, meant[0])
			if lines := refused(t, ""); !strings.Contains(lines[0], "set TAILWATER_ANONYMOUS_PUBLISH (to nothing") {
				t.Errorf("one of the defaults: %q", lines)
			}
			environ(t, append(meant, "TAILWATER_"+test.set)...)
			s := load(t, "")
			if found := s.Exposed(); len(found) != 1 || found[0].Setting != test.setting {
				t.Errorf("exposed by %v", found)
			}
			same(t, "HTTP_PAGES", s.HTTP.Pages, false)
			same(t, "LIMIT_CONNECTIONS_PER_IP", s.Limit.ConnectionsPerIP, configs.Count(200))
			same(t, "loopback origins", s.HTTP.LoopbackOrigins, false)
			same(t, "loopback hosts", s.HTTP.LoopbackHosts, test.loopbackHosts)
		})
	}
}

// A listener of the embedded server that other machines reach has the same consequences.
func TestExposedByTheServer(t *testing.T) {
	environ(t, meant...)
	s, err := configs.Load("", func(*configs.Settings) ([]configs.Exposure, error) {
		return []configs.Exposure{{Setting: "EMBED_CONFIG", Reason: "r", Instead: "i"}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "HTTP_PAGES", s.HTTP.Pages, false)
	same(t, "LIMIT_CONNECTIONS_PER_IP", s.Limit.ConnectionsPerIP, configs.Count(200))
	same(t, "loopback origins", s.HTTP.LoopbackOrigins, false)
	same(t, "loopback hosts", s.HTTP.LoopbackHosts, true)
}

// Only this machine reaches these, so the defaults are those of a first look.
func TestNotExposed(t *testing.T) {
	for _, set := range []string{
		"HTTP_LISTEN=[::1]:8080", "ADMIN_LISTEN=", "ADMIN_LISTEN=localhost:0", "HTTP_TRUSTED_PROXIES=",
		"HTTP_HOSTS=localhost,127.0.0.1,[::1],chat.localhost", "HTTP_ORIGINS=https://chat.example.com",
	} {
		environ(t, "TAILWATER_"+set)
		s := load(t, "")
		if found := s.Exposed(); found != nil {
			t.Errorf("%s: exposed by %v", set, found)
		}
		same(t, set, s.HTTP.Pages, true)
		environ(t)
	}
}

func TestHints(t *testing.T) {
	key, _ := publicPEM(t, "ECDSA")
	for _, test := range []struct {
		set  []string
		want string // the setting that each hint names, separated by blanks
	}{
		{nil, ""},
		{[]string{"ADMIN_LISTEN=:9090", "LIMIT_CONNECTIONS_PER_IP=0"}, ""},
		{[]string{"HTTP_LISTEN=:8080"}, "HTTP_HOSTS"},
		{[]string{"HTTP_LISTEN=:8080", "HTTP_HOSTS=chat.example.com"}, ""},
		{[]string{"HTTP_TRUSTED_PROXIES=127.0.0.1"}, "HTTP_HOSTS"},
		{[]string{"HTTP_HOSTS=chat.example.com"}, "HTTP_TRUSTED_PROXIES"},
		{[]string{"ADMIN_LISTEN=:9090"}, "HTTP_TRUSTED_PROXIES"},
		{[]string{"HTTP_HOSTS=chat.example.com", "HTTP_TRUSTED_PROXIES=127.0.0.1"}, ""},
		{[]string{"HTTP_HOSTS=chat.example.com", "LIMIT_CONNECTIONS_PER_IP=50"}, ""},
		{[]string{"AUTH_JWKS_URL=https://id.example.com/keys"}, "AUTH_AUDIENCE AUTH_ISSUER"},
		{[]string{"AUTH_JWKS_URL=https://id.example.com/keys", "AUTH_AUDIENCE=a", "AUTH_ISSUER=i"}, ""},
		{[]string{"AUTH_JWT_PUBLIC_KEY=" + key}, "AUTH_AUDIENCE"},
		{[]string{"AUTH_JWT_SECRET=" + strings.Repeat("s", 32)}, ""},
	} {
		environ(t, append(prefixed(test.set...), meant...)...)
		hints, want := load(t, "").Hints(), strings.Fields(test.want)
		if len(hints) != len(want) {
			t.Errorf("%v: %q", test.set, hints)
			continue
		}
		for i, name := range want {
			if !strings.Contains(hints[i], "set TAILWATER_"+name) {
				t.Errorf("%v: %q does not say to set %s", test.set, hints[i], name)
			}
		}
		environ(t)
	}
}
