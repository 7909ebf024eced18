package configs_test

import (
	"os"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/configs"
)

func TestUnknownNames(t *testing.T) {
	for name, nearest := range map[string]string{
		"HTTP_LISTN":      "HTTP_LISTEN",
		"LISTEN":          "HTTP_LISTEN",
		"LIMIT_BODIES":    "LIMIT_BODY",
		"NATS_URLS":       "NATS_URL",
		"ROUTE":           "ROUTES",
		"NATS_TLS_CERTS":  "NATS_TLS_CERT",
		"http_listen":     "",
		"LOOPBACKHOSTS":   "",
		"PORT":            "",
		"HTTP":            "",
		"HTTP_PORT":       "",
		"HISTORY_SIZE":    "HISTORY",
		"HISTORY_STREAMS": "HISTORY_STREAM",
		"HISTORY_MAXAGE":  "HISTORY_MAX_AGE",
		"KEPT":            "",
		"KEPT_HISTORY":    "",
		"HISTORY_HISTORY": "",
		"AUTH_SECRET":     "",
	} {
		t.Run(name, func(t *testing.T) {
			environ(t, "TAILWATER_"+name+"=8080")
			lines := refused(t, "")
			want := "TAILWATER_" + name + ": there is no such setting; did you mean TAILWATER_" + nearest
			if nearest != "" {
				want += "?"
			}
			if len(lines) != 1 || !strings.HasPrefix(lines[0], want) {
				t.Errorf("got %q, want %q", lines, want)
			}
		})
	}
}

// links are what Kubernetes injects for services named tailwater and tailwater-http-nodes.
var links = []string{
	"TAILWATER_SERVICE_HOST=10.0.0.11",
	"TAILWATER_SERVICE_PORT=8080",
	"TAILWATER_SERVICE_PORT_HTTP=8080",
	"TAILWATER_PORT=tcp://10.0.0.11:8080",
	"TAILWATER_PORT_8080_TCP=tcp://10.0.0.11:8080",
	"TAILWATER_PORT_8080_TCP_PROTO=tcp",
	"TAILWATER_PORT_8080_TCP_PORT=8080",
	"TAILWATER_PORT_8080_TCP_ADDR=10.0.0.11",
	"TAILWATER_HTTP_NODES_SERVICE_HOST=10.0.0.12",
	"TAILWATER_HTTP_NODES_SERVICE_PORT=53",
	"TAILWATER_HTTP_NODES_SERVICE_PORT_DNS_UDP=53",
	"TAILWATER_HTTP_NODES_PORT=udp://[fd00::1]:53",
	"TAILWATER_HTTP_NODES_PORT_53_UDP=udp://[fd00::1]:53",
	"TAILWATER_HTTP_NODES_PORT_53_UDP_ADDR=fd00::1",
	"TAILWATER_HTTP_NODES_PORT_9_SCTP=sctp://10.0.0.12:9",
}

func TestKubernetesServiceLinks(t *testing.T) {
	environ(t, links...)
	load(t, "")
	environ(t)
	load(t, write(t, "links.env", strings.Join(links, "\n")))
	environ(t, append(links, "TAILWATER_SERVICE_HOSTS=x", "TAILWATER_PORT_HTTP=x")...)
	same(t, "others", len(refused(t, "")), 2)
}

// Variables of the commands that speak to a bridge may be set where a bridge is started. Other names that begin like them are errors.
func TestVariablesOfCommands(t *testing.T) {
	variables := []string{"TAILWATER_BRIDGE_URL=https://events.example.com", "TAILWATER_BRIDGE_TOKEN=x"}
	environ(t, variables...)
	load(t, "")
	environ(t, append(variables, "TAILWATER_BRIDGE_TOKENS=x")...)
	same(t, "others", len(refused(t, "")), 1)
}

func TestEnvFile(t *testing.T) {
	environ(t, "TAILWATER_DRAIN_WINDOW=1s", "TAILWATER_ADMIN_LISTEN=")
	s := load(t, write(t, "prod.env", `
# A comment, another program's name, and every way to quote.
NATS_URL=nats://elsewhere
PORT = 1
TAILWATER_DRAIN_WINDOW=2s
TAILWATER_DRAIN_DELAY="3s"  # why
TAILWATER_ADMIN_LISTEN=:9090
export TAILWATER_EMBED_DIR='a "b" \n ü'
TAILWATER_EMBED_LISTEN=
`))
	same(t, "the environment wins over the file", s.Drain.Window.String(), "1s")
	same(t, "an empty value in the environment", s.Admin.Listen, configs.Address(""))
	same(t, "the file wins over the default", s.Drain.Delay.String(), "3s")
	same(t, "as it was quoted", s.Embed.Dir, `a "b" \n ü`)
	same(t, "an empty value in the file", s.Embed.Listen, configs.Address(""))
	same(t, "IsSet", s.IsSet("EMBED_DIR"), true)
	same(t, "Embedded", s.Embedded(), true)
}

// The library of OpenTelemetry reads the environment alone, so what the file says for it goes there, unless the environment says something else.
func TestEnvFileOfTelemetry(t *testing.T) {
	for _, name := range []string{"OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTHER_VARIABLE"} {
		t.Setenv(name, "") // so that the test's end restores it
		os.Unsetenv(name)
	}
	environ(t, "OTEL_RESOURCE_ATTRIBUTES=")
	s := load(t, write(t, "prod.env", "OTEL_SERVICE_NAME=chat\nOTEL_RESOURCE_ATTRIBUTES=a=b\nOTHER_VARIABLE=x\n"))
	if _, isSet := os.LookupEnv("OTEL_SERVICE_NAME"); isSet {
		t.Error("reading the settings has changed the environment")
	}
	if err := s.ExportTelemetry(); err != nil {
		t.Fatal(err)
	}
	same(t, "in the file", os.Getenv("OTEL_SERVICE_NAME"), "chat")
	same(t, "in both", os.Getenv("OTEL_RESOURCE_ATTRIBUTES"), "")
	same(t, "of others", os.Getenv("OTHER_VARIABLE"), "")
}

// If the prefix seems to be forgotten in a file, a hint says so, without values.
func TestEnvFileWithoutPrefix(t *testing.T) {
	environ(t, "TAILWATER_LOG_LEVEL=warn", "HTTP_LISTEN=:1")
	path := write(t, "prod.env", `
NATS_URL=nats://river:swordfish@h
ROUTES=/a=a
PORT=1
PATH=/bin
LOG_LEVEL=debug
DRAIN_DELAY=1s
TAILWATER_DRAIN_DELAY=2s
`)
	s := load(t, path)
	same(t, "hints", s.Hints(), []string{
		path + ": NATS_URL is ignored, because the names of settings begin with TAILWATER_; did you mean TAILWATER_NATS_URL?",
		path + ": ROUTES is ignored, because the names of settings begin with TAILWATER_; did you mean TAILWATER_ROUTES?",
	})
	same(t, "Embedded", s.Embedded(), true)
	same(t, "without a file", len(load(t, "").Hints()), 0)
}

func TestEnvFileProblems(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"A=1\nTAILWATER_HTTP_LISTEN\n", ": line 2: missing =; write NAME=value"},
		{"\n\nTAILWATER_NATS_URL=\"nats://u:swordfish@h\n", `: line 3: unmatched "; write NAME=value`},
	} {
		environ(t)
		path := write(t, "bad.env", test.text)
		lines := refused(t, path)
		if len(lines) != 1 || !strings.HasPrefix(lines[0], path+test.want) || strings.Contains(lines[0], "swordfish") {
			t.Errorf("got %q, want %q", lines, path+test.want)
		}
	}
	lines := refused(t, "/nowhere/prod.env")
	if !strings.HasPrefix(lines[0], "/nowhere/prod.env: the env file cannot be read: no such file") {
		t.Errorf("got %q", lines)
	}
	// The content is checked like the environment.
	lines = refused(t, write(t, "bad.env", "TAILWATER_LIMIT_BODY=lots\nTAILWATER_HTTP_LISTN=:1\nTAILWATER_NATS_URL=\n"))
	same(t, "problems", len(lines), 3)
}
