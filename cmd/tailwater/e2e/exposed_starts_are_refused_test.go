package e2e

// A bridge that others than this machine may reach: what it refuses at the start, and what holds by default.

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Both serve and check refuse what would open a first look, or NATS, to others; each names the setting and the remedy.
func TestExposedStartsAreRefused(t *testing.T) {
	t.Parallel()
	file := func(text string) string { return writeFile(t, t.TempDir(), "nats.conf", text) }
	const signIn = "\nauthorization { user: a, password: b }"
	subjects := []string{"TAILWATER_ANONYMOUS_SUBSCRIBE", "TAILWATER_ANONYMOUS_PUBLISH"}
	for name, test := range map[string]struct {
		set  settings
		says []string
	}{
		"every interface":      {settings{"HTTP_LISTEN": ":0"}, append(subjects, "TAILWATER_HTTP_LISTEN: :0 is not loopback")},
		"probes from outside":  {settings{"ADMIN_LISTEN": ":0"}, append(subjects, "TAILWATER_ADMIN_LISTEN: :0 is not loopback")},
		"a name of the world":  {settings{"HTTP_HOSTS": "chat.example.com"}, append(subjects, "TAILWATER_HTTP_HOSTS: chat.example.com")},
		"a proxy":              {settings{"HTTP_TRUSTED_PROXIES": "127.0.0.1"}, append(subjects, "TAILWATER_HTTP_TRUSTED_PROXIES: ")},
		"websocket, signed in": {settings{"EMBED_CONFIG": file("websocket { listen: \"0.0.0.0:-1\", no_tls: true }" + signIn)}, append(subjects, "TAILWATER_EMBED_CONFIG: ", "websocket")},
		"NATS for anyone":      {openToAll(settings{"EMBED_LISTEN": ":0"}), []string{"TAILWATER_EMBED_LISTEN: ", "0.0.0.0:0", "TAILWATER_EMBED_CONFIG", "127.0.0.1"}},
		"websocket for anyone": {openToAll(settings{"EMBED_CONFIG": file("websocket { listen: \"0.0.0.0:-1\", no_tls: true }")}), []string{"TAILWATER_EMBED_CONFIG: ", "websocket", "authorization", "127.0.0.1"}},
		"mqtt for anyone":      {openToAll(settings{"EMBED_CONFIG": file("mqtt { port: -1 }")}), []string{"mqtt", "authorization"}},
		"leaf nodes of anyone": {openToAll(settings{"EMBED_CONFIG": file("leafnodes { port: -1 }")}), []string{"leafnodes", "authorization"}},
		"a cluster of anyone":  {openToAll(settings{"EMBED_CONFIG": file("cluster { name: c, port: -1 }" + signIn)}), []string{"cluster", "authorization"}},
		"a gateway of anyone":  {openToAll(settings{"EMBED_CONFIG": file("gateway { name: g, port: -1 }" + signIn)}), []string{"gateway", "authorization"}},
		"monitoring":           {openToAll(settings{"EMBED_CONFIG": file("http: \"0.0.0.0:-1\"" + signIn)}), []string{"http monitoring", "127.0.0.1"}},
		"a no_auth_user":       {openToAll(settings{"EMBED_CONFIG": file("listen: \"0.0.0.0:-1\"\nauthorization { users: [{user: a, password: b}] }\nno_auth_user: a")}), []string{"client", "remove no_auth_user"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := withDefaults(t, test.set)
			if set["EMBED_CONFIG"] != "" {
				delete(set, "EMBED_LISTEN") // the file says where NATS listens
			}
			for _, command := range []string{"serve", "check"} {
				code, out, says := call(t, set, command)
				says += out
				if code != exitUsage {
					t.Errorf("%s: exit code %d", command, code)
				}
				wantAll(t, command, says, test.says...)
			}
		})
	}
}

// behindProxy is how the page of the command sets up a bridge behind a proxy on the same machine.
func behindProxy(t *testing.T) settings {
	t.Helper()
	s := settings{}
	_, block, found := strings.Cut(document(t, "configs/deploy/README.md"), "export TAILWATER_HTTP_TRUSTED_PROXIES=")
	if !found {
		t.Fatal("the page on deploying has no settings for a bridge behind a proxy")
	}
	block, _, _ = strings.Cut("export TAILWATER_HTTP_TRUSTED_PROXIES="+block, "```")
	for line := range strings.Lines(block) {
		setting, _, _ := strings.Cut(line, " #")
		name, value, _ := strings.Cut(strings.TrimPrefix(setting, "export TAILWATER_"), "=")
		s[name] = strings.Trim(strings.TrimSpace(value), "'")
	}
	return s
}

// Behind a proxy on the same machine nothing of a first look is left: no pages, no origins of this machine, no host but those
// that are named, and a limit for each address.
func TestDefaultsBehindAProxy(t *testing.T) {
	t.Parallel()
	n := startNode(t, behindProxy(t))
	ask := func(path, host, origin string) (int, string) {
		return status(t, http.MethodGet, n.URL()+path, "", "Host: "+host, "Origin: "+origin)
	}
	const chat, poll = "chat.example.com", "/events/chat.a?poll=1"
	for _, test := range []struct {
		path, host, origin string
		status             int
	}{
		{poll, chat, "", http.StatusOK},
		{poll, chat, "https://" + chat, http.StatusOK},
		{poll, chat, "http://localhost:3000", http.StatusForbidden},
		{poll, "localhost", "", http.StatusMisdirectedRequest},
		{poll, "evil.com", "", http.StatusMisdirectedRequest},
		{"/", chat, "", http.StatusNotFound},
		{"/clock", chat, "", http.StatusNotFound},
	} {
		if status, text := ask(test.path, test.host, test.origin); status != test.status {
			t.Errorf("%+v: %d %.200s", test, status, text)
		}
	}
	if limit := n.Settings.Limit.ConnectionsPerIP; limit != 200 {
		t.Errorf("one address may have %d connections", limit)
	}
	if hints := n.Settings.Hints(); len(hints) > 0 {
		t.Errorf("the page's settings leave hints: %q", hints)
	}
}

// check says whether the bridge is exposed and why; the start says what is not safe about it.
func TestExposureIsSaid(t *testing.T) {
	t.Parallel()
	if _, out, _ := call(t, nil, "check"); !strings.Contains(out, "no: only this machine reaches the bridge") {
		t.Errorf("of a first look check says\n%s", out)
	}
	config := writeFile(t, t.TempDir(), "nats.conf", fmt.Sprintf("listen: \"0.0.0.0:%d\"\nauthorization { user: a, password: b }", bridgetest.FreePort(t)))
	s := openToAll(settings{"HTTP_TRUSTED_PROXIES": "10.0.0.0/8", "EMBED_CONFIG": config})
	_, out, _ := call(t, s, "check")
	wantAll(t, "check", out, "yes: a proxy lets other machines in (TAILWATER_HTTP_TRUSTED_PROXIES)", "client listener of the embedded server", "! any Host header is accepted", "set TAILWATER_HTTP_HOSTS")
	file := writeFile(t, t.TempDir(), "settings.env", "TAILWATER_HTTP_LISTEN=127.0.0.1:0\nTAILWATER_ADMIN_LISTEN=\nTAILWATER_AUTH_JWKS_URL=http://127.0.0.1:1/keys\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := &signalWriter{cancel: cancel}
	serve := invocation{t.TempDir(), with(s, settings{"LOG_FORMAT": "json"}), []string{"serve", "--env-file", file}}
	if code := serve.run(t, ctx, &bytes.Buffer{}, log); code != 0 {
		t.Errorf("serve: exit code %d", code)
	}
	wantAll(t, "the start", log.text.String(), "set TAILWATER_HTTP_HOSTS", "set TAILWATER_AUTH_AUDIENCE")
}
