package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/configs"
)

// refused loads settings that must be refused, and returns the lines of the error.
func refused(t *testing.T, envFile string) []string {
	t.Helper()
	s, err := configs.Load(envFile, alone)
	if err == nil {
		t.Fatal("it was accepted")
	}
	if s != nil {
		t.Error("settings came with the error")
	}
	secrets.Overhear(err.Error())
	return strings.Split(err.Error(), "\n")
}

// refusal is what is refused, and why.
type refusal struct {
	set  []string // without the prefix
	want string   // beginning, then … and parts of the rest
}

// isTold checks that a refusal is one problem, in one line: what follows from it is not reported as well.
func (r refusal) isTold(t *testing.T) {
	t.Run(strings.Join(r.set, " "), func(t *testing.T) {
		environ(t, prefixed(r.set...)...)
		lines := refused(t, "")
		begin, rest, _ := strings.Cut(r.want, "…")
		if len(lines) != 1 || !strings.HasPrefix(lines[0], "TAILWATER_"+begin) {
			t.Fatalf("got %q, want one line that begins with %q", lines, begin)
		}
		for _, want := range strings.Split(rest, "…") {
			if !strings.Contains(lines[0], want) {
				t.Errorf("got %q, want %q in it", lines[0], want)
			}
		}
	})
}

func TestRefusals(t *testing.T) {
	const url = "NATS_URL=nats://h"
	file := write(t, "file", "x")
	missing := filepath.Join(t.TempDir(), "missing")
	for _, test := range []refusal{
		// Unsafe.
		{[]string{"HTTP_LISTEN=:8080"}, "HTTP_LISTEN: :8080 is not loopback…set TAILWATER_ANONYMOUS_SUBSCRIBE and TAILWATER_ANONYMOUS_PUBLISH"},
		{[]string{"HTTP_LISTEN=0.0.0.0:0"}, "HTTP_LISTEN: …is not loopback"},
		{[]string{"HTTP_LISTEN=chat.example.com:80", "ANONYMOUS_SUBSCRIBE=chat.>"}, "HTTP_LISTEN: …set TAILWATER_ANONYMOUS_PUBLISH (to nothing"},
		{[]string{"HTTP_LISTEN=[::]:80", "ANONYMOUS_PUBLISH="}, "HTTP_LISTEN: …set TAILWATER_ANONYMOUS_SUBSCRIBE (to nothing"},
		{[]string{"ANONYMOUS_SUBSCRIBE=>"}, `ANONYMOUS_SUBSCRIBE: ">" matches…everything`},
		{[]string{"ANONYMOUS_SUBSCRIBE=chat.>,*.x"}, `ANONYMOUS_SUBSCRIBE: "*.x" matches…`},
		{[]string{"ANONYMOUS_PUBLISH=$JS.API.>"}, `ANONYMOUS_PUBLISH: "$JS.API.>" matches…`},
		{[]string{"ANONYMOUS_PUBLISH=_INBOX.>"}, `ANONYMOUS_PUBLISH: "_INBOX.>" matches…`},
		{[]string{"ROUTES=/sys/{x...}=$SYS.{x}"}, `ROUTES: "/sys/{x...}=$SYS.{x}" matches…`},
		{[]string{"ROUTES=/all/{x...}={x}"}, `ROUTES: …matches…`},
		{[]string{"ROUTES=/kv/{b}/{key...}=$KV.{b}.{key}"}, `ROUTES: …"/kv/{b}/{key...}=$KV.{b}.{key}"…must name one bucket…`},
		{[]string{"ROUTES=/kv/{key...}=$KV.{key}"}, `ROUTES: …must name one bucket…`},
		{[]string{"ROUTES=/kv=$KV.>"}, `ROUTES: …must name one bucket…`},
		{[]string{"ROUTES=/kv=$KV.*.a"}, `ROUTES: …must name one bucket…`},
		{[]string{"ROUTES=/kv=$KV.config"}, `ROUTES: …must name one bucket, and then its keys…`},
		{[]string{"ROUTES=/kv/{key...}=$kv.config.{key}"}, `ROUTES: …matches…`},
		{[]string{"ROUTES=/kv/{key...}=$KVS.config.{key}"}, `ROUTES: …matches…`},
		{[]string{"ROUTES=/kv/{a}={a}.config.x"}, `ROUTES: …matches…`},
		{[]string{"ROUTES=/o/{key...}=$O.config.{key}"}, `ROUTES: …matches…`},
		{[]string{"ROUTES=/js/{key...}=$JS.API.{key}"}, `ROUTES: …matches…`},
		{[]string{"ROUTES=/in/{key...}=_INBOX.{key}"}, `ROUTES: …matches…`},
		{[]string{"ROUTES=/config/{key...}=$KV.config.{key}", "ANONYMOUS_SUBSCRIBE=$KV.config.>"}, `ANONYMOUS_SUBSCRIBE: "$KV.config.>" matches…`},
		{[]string{"ANONYMOUS_PUBLISH=$KV.config.>"}, `ANONYMOUS_PUBLISH: "$KV.config.>" matches…`},
		{[]string{"HISTORY=>"}, `HISTORY: ">" matches…everything`},
		{[]string{"HISTORY=*.x"}, `HISTORY: "*.x" matches…`},
		{[]string{"HISTORY=$KV.config.>"}, `HISTORY: "$KV.config.>" matches…`},
		{[]string{"HISTORY=$JS.EVENT.>"}, `HISTORY: "$JS.EVENT.>" matches…`},
		{[]string{"HISTORY=_INBOX.>"}, `HISTORY: "_INBOX.>" matches…`},
		{[]string{"HISTORY_STREAM=KV_config"}, `HISTORY_STREAM: "KV_config" begins with KV_…choose another name`},
		{[]string{"HISTORY_STREAM=OBJ_files"}, `HISTORY_STREAM: …begins with OBJ_`},
		{[]string{"HISTORY_STREAM=$MQTT_msgs"}, `HISTORY_STREAM: …begins with $`},
		// In conflict, or without effect.
		{[]string{url, "NATS_CONTEXT=c"}, "NATS_CONTEXT: …remove one"},
		{[]string{url, "EMBED_DIR=d"}, "EMBED_DIR: …does not run together with"},
		{[]string{"NATS_SERVICE=a.b"}, "NATS_SERVICE: …letters, digits"},
		{[]string{"NATS_SERVICE=agents"}, "NATS_SERVICE: …choose another name"},
		{[]string{"NATS_CONTEXT=c", "EMBED_LISTEN="}, "EMBED_LISTEN: …does not run together with"},
		{[]string{url, "EMBED_CONFIG=" + file}, "EMBED_CONFIG: …does not run together with"},
		{[]string{url, "NATS_CREDS=" + file, "NATS_NKEY=" + file}, "NATS_NKEY: …TAILWATER_NATS_CREDS; remove one"},
		{[]string{"NATS_CREDS=" + file}, "NATS_CREDS: …signs in to no server"},
		{[]string{"NATS_NKEY=" + file}, "NATS_NKEY: …signs in to no server"},
		{[]string{"NATS_TLS_CA=" + file}, "NATS_TLS_CA: …without TLS"},
		{[]string{"NATS_JS_DOMAIN=hub"}, "NATS_JS_DOMAIN: the embedded server's own JetStream…"},
		{[]string{url, "NATS_TLS_CERT=" + file}, "NATS_TLS_CERT: …set TAILWATER_NATS_TLS_KEY as well"},
		{[]string{url, "NATS_TLS_KEY=" + file}, "NATS_TLS_KEY: …set TAILWATER_NATS_TLS_CERT as well"},
		{[]string{"HTTP_TLS_CERT=" + file}, "HTTP_TLS_CERT: …set TAILWATER_HTTP_TLS_KEY as well"},
		{[]string{"HTTP_TLS_KEY=" + file}, "HTTP_TLS_KEY: …set TAILWATER_HTTP_TLS_CERT as well"},
		{[]string{"HTTP_TLS_CERT=" + file, "HTTP_TLS_KEY=" + file}, "HTTP_TLS_CERT: it cannot be served…both must be PEM files"},
		{[]string{"HTTP_TLS_CERT=" + file, "HTTP_TLS_KEY=" + missing}, "HTTP_TLS_KEY: …no such file"},
		{[]string{"HTTP_TRUSTED_PROXIES=proxy"}, `HTTP_TRUSTED_PROXIES: "proxy" is not a network; write addresses…`},
		{[]string{"HTTP_TRUSTED_PROXIES=10.0.0.1/8"}, "HTTP_TRUSTED_PROXIES: …set after its mask; write 10.0.0.0/8"},
		{[]string{"HTTP_TRUSTED_PROXIES=10.0.0.1:80"}, "HTTP_TRUSTED_PROXIES: …is not a network"},
		{[]string{"HTTP_TRUSTED_PROXIES=fe80::1%eth0"}, "HTTP_TRUSTED_PROXIES: …is not a network"},
		{[]string{"HTTP_TRUSTED_PROXIES=::ffff:10.0.0.0/104"}, "HTTP_TRUSTED_PROXIES: …write it as IPv4"},
		{[]string{"HTTP_TRUSTED_PROXIES=127.0.0.1,0.0.0.0/0"}, "HTTP_TRUSTED_PROXIES: it contains every address…"},
		{[]string{"LIMIT_PUBLISH_RATE=20"}, `LIMIT_PUBLISH_RATE: "20" is not a rate; write…20/s or 60/m`},
		{[]string{"LIMIT_PUBLISH_RATE=20/h"}, "LIMIT_PUBLISH_RATE: …is not a rate"},
		{[]string{"LIMIT_PUBLISH_RATE=-1/s"}, "LIMIT_PUBLISH_RATE: …is not a rate"},
		{[]string{"LIMIT_PUBLISH_RATE=1.5/s"}, "LIMIT_PUBLISH_RATE: …is not a rate"},
		{[]string{"LIMIT_PUBLISH_RATE=0/s"}, "LIMIT_PUBLISH_RATE: …write 1 to 100000000, or 0 alone"},
		{[]string{"LIMIT_PUBLISH_RATE=4000000000/m"}, "LIMIT_PUBLISH_RATE: …is out of range"},
		{[]string{"LIMIT_CONNECTIONS_PER_IP=-1"}, "LIMIT_CONNECTIONS_PER_IP: …is not a number"},
		{[]string{"HTTP_LISTEN=127.0.0.1:8081"}, "HTTP_LISTEN: …TAILWATER_ADMIN_LISTEN (127.0.0.1:8081)"},
		{[]string{"HTTP_LISTEN=localhost:4222"}, "HTTP_LISTEN: …TAILWATER_EMBED_LISTEN (127.0.0.1:4222)"},
		{[]string{url, "HTTP_LISTEN=:8081"}, "HTTP_LISTEN: …TAILWATER_ADMIN_LISTEN"},
		{[]string{"ADMIN_LISTEN=localhost:4222"}, "ADMIN_LISTEN: …TAILWATER_EMBED_LISTEN"},
		{[]string{"HISTORY=", "HISTORY_STREAM=S"}, "HISTORY_STREAM: nothing is kept; set TAILWATER_HISTORY…"},
		{[]string{url, "HISTORY_MAX_AGE=1h"}, "HISTORY_MAX_AGE: nothing is kept; …or remove it"},
		{[]string{url, "HISTORY_REPLICAS=3"}, "HISTORY_REPLICAS: nothing is kept…"},
		{[]string{"HISTORY=chat..x", "HISTORY_STREAM=S", "ANSWERS_MAX_BYTES=1GiB"}, "HISTORY: …"},
		{[]string{"ANSWERS=a.b", "ANSWERS_MAX_BYTES=1GiB"}, "ANSWERS: …"},
		{[]string{"HISTORY=a.*.c,a.b.*"}, `HISTORY: "a.*.c" and "a.b.*" overlap…one filter that covers both`},
		{[]string{"HISTORY=chat.>,chat.a"}, `HISTORY: "chat.>" and "chat.a" overlap…`},
		{[]string{"HISTORY=chat.a,chat.a"}, `HISTORY: "chat.a" and "chat.a" overlap…`},
		{[]string{"HISTORY=a.*,*.b"}, `HISTORY: "*.b" matches…`},
		{[]string{"HISTORY_REPLICAS=3"}, "HISTORY_REPLICAS: the embedded server is a single server…TAILWATER_EMBED_CONFIG"},
		// Files.
		{[]string{url, "NATS_CREDS=" + missing}, "NATS_CREDS: …no such file or directory; give the path"},
		{[]string{url, "NATS_NKEY=" + missing}, "NATS_NKEY: …no such file"},
		{[]string{url, "NATS_TLS_CA=" + missing}, "NATS_TLS_CA: …no such file"},
		{[]string{"EMBED_CONFIG=" + missing}, "EMBED_CONFIG: …no such file"},
		{[]string{"EMBED_CONFIG=" + os.TempDir()}, "EMBED_CONFIG: …is a directory"},
		// Values.
		{[]string{"HTTP_LISTEN=8080"}, `HTTP_LISTEN: "8080" is not host:port; write it like…`},
		{[]string{"HTTP_LISTEN=http://h:80"}, "HTTP_LISTEN: …is not host:port"},
		{[]string{"HTTP_LISTEN=127.0.0.1:http"}, "HTTP_LISTEN: …port must be a number"},
		{[]string{"ADMIN_LISTEN=:65536"}, "ADMIN_LISTEN: …to 65535"},
		{[]string{"HTTP_LISTEN="}, "HTTP_LISTEN: it is set but empty; give it a value or remove it…"},
		{[]string{"HTTP_HOSTS="}, "HTTP_HOSTS: it is set but empty…"},
		{[]string{"NATS_URL="}, "NATS_URL: it is set but empty…"},
		{[]string{"HTTP_PAGES=perhaps"}, `HTTP_PAGES: "perhaps" is neither true nor false…`},
		{[]string{"HTTP_ORIGINS=*"}, `HTTP_ORIGINS: "*" holds a wildcard; name each…`},
		{[]string{"HTTP_ORIGINS=https://*.example.com"}, "HTTP_ORIGINS: …holds a wildcard"},
		{[]string{"HTTP_ORIGINS=https://a.example/"}, "HTTP_ORIGINS: …not even a slash"},
		{[]string{"HTTP_ORIGINS=https://a.example/x?y"}, "HTTP_ORIGINS: …not even a slash"},
		{[]string{"HTTP_ORIGINS=a.example"}, "HTTP_ORIGINS: …is not an origin; write http or https…"},
		{[]string{"HTTP_ORIGINS=ftp://a.example"}, "HTTP_ORIGINS: …is not an origin"},
		{[]string{"HTTP_ORIGINS=null"}, "HTTP_ORIGINS: …is not an origin"},
		{[]string{"HTTP_ORIGINS=https://a.example:"}, "HTTP_ORIGINS: …ends in a colon"},
		{[]string{"HTTP_ORIGINS=https://bücher.example"}, "HTTP_ORIGINS: …punycode"},
		{[]string{"HTTP_ORIGINS=https://a.example,"}, "HTTP_ORIGINS: …remove the extra comma"},
		{[]string{"HTTP_HOSTS=a.example:80"}, "HTTP_HOSTS: …write it without scheme, port and path"},
		{[]string{"HTTP_HOSTS=https://a.example"}, "HTTP_HOSTS: …write it without scheme, port and path"},
		{[]string{"HTTP_HOSTS=*"}, "HTTP_HOSTS: …holds a wildcard"},
		{[]string{"HTTP_HOSTS=a..b"}, "HTTP_HOSTS: …is not a host name"},
		{[]string{"NATS_URL=http://h"}, "NATS_URL: server 1 has an unknown scheme; use nats://…"},
		{[]string{"NATS_URL=nats://h,nats://"}, "NATS_URL: server 2 names no host"},
		{[]string{"NATS_URL=nats://h,"}, "NATS_URL: server 2 is empty"},
		{[]string{"NATS_URL=nats://h,ws://h"}, "NATS_URL: …cannot be mixed"},
		{[]string{"EMBED_SYNC=never"}, "EMBED_SYNC: …neither a duration"},
		{[]string{"EMBED_SYNC=0s"}, "EMBED_SYNC: …write always"},
		{[]string{"ROUTES=/x"}, "ROUTES: …/x"},
		{[]string{"ROUTES=/a/{x}=a.{x},/a/{y}=b.{y}"}, "ROUTES: …keep one"},
		{[]string{"ANONYMOUS_SUBSCRIBE=chat..x"}, "ANONYMOUS_SUBSCRIBE: …chat..x"},
		{[]string{"ANONYMOUS_WILDCARDS=2"}, "ANONYMOUS_WILDCARDS: …neither true nor false"},
		{[]string{"LIMIT_CONNECTIONS=many"}, "LIMIT_CONNECTIONS: …not a whole number"},
		{[]string{"LIMIT_CONNECTIONS=0"}, "LIMIT_CONNECTIONS: …at least 1"},
		{[]string{"LIMIT_CONNECTIONS=-1"}, "LIMIT_CONNECTIONS: …at least 1"},
		{[]string{"LIMIT_SUBJECTS=0"}, "LIMIT_SUBJECTS: …at least 1"},
		{[]string{"LIMIT_SUBJECTS=-1"}, "LIMIT_SUBJECTS: …at least 1"},
		{[]string{"LIMIT_BODY=lots"}, "LIMIT_BODY: …write a number of bytes"},
		{[]string{"LIMIT_BODY=-1"}, "LIMIT_BODY: …write a number of bytes"},
		{[]string{"LIMIT_BODY=0"}, "LIMIT_BODY: …from 1 byte to 64MiB"},
		{[]string{"LIMIT_BODY=65MiB"}, "LIMIT_BODY: …from 1 byte to 64MiB"},
		{[]string{"LIMIT_BODY=67108865"}, "LIMIT_BODY: 67108865 is out of range; …from 1 byte to 64MiB"}, // not rounded to what is in range
		{[]string{"LIMIT_BODY=3MiB", "MEMORY=8MiB"}, "LIMIT_BODY: …at most 2.0 MiB, or set TAILWATER_MEMORY to at least 12 MiB"},
		{[]string{"MEMORY=7MiB"}, "MEMORY: …write a size from 8.0 MiB to 1.0 TiB"},
		{[]string{"MEMORY=8388607"}, "MEMORY: 8388607 is out of range; …"},
		{[]string{"MEMORY=2TiB"}, "MEMORY: …write a size from 8.0 MiB to 1.0 TiB"},
		{[]string{"MEMORY=all"}, "MEMORY: …write a number of bytes"},
		{[]string{"LIMIT_WRITE_TIMEOUT=20"}, "LIMIT_WRITE_TIMEOUT: …with a unit"},
		{[]string{"LIMIT_WRITE_TIMEOUT=0s"}, "LIMIT_WRITE_TIMEOUT: …more than 0"},
		{[]string{"LIMIT_WRITE_TIMEOUT=-1s"}, "LIMIT_WRITE_TIMEOUT: …more than 0"},
		{[]string{"LIMIT_CONNECTION_AGE=0s"}, "LIMIT_CONNECTION_AGE: …write 8760h"},
		{[]string{"LIMIT_CONNECTION_AGE=-1h"}, "LIMIT_CONNECTION_AGE: …write 8760h"},
		{[]string{"HISTORY=chat..x"}, "HISTORY: …chat..x"},
		{[]string{"HISTORY_STREAM="}, "HISTORY_STREAM: it is set but empty…"},
		{[]string{"HISTORY_STREAM=a b"}, `HISTORY_STREAM: "a b" is not valid as a stream name…`},
		{[]string{"HISTORY_STREAM=a.b"}, "HISTORY_STREAM: …without blanks, dots, slashes, * and >"},
		{[]string{"HISTORY_STREAM=a*"}, "HISTORY_STREAM: …is not valid as"},
		{[]string{"HISTORY_STREAM=>"}, "HISTORY_STREAM: …is not valid as"},
		{[]string{"HISTORY_STREAM=a/b"}, "HISTORY_STREAM: …is not valid as"},
		{[]string{`HISTORY_STREAM=a\b`}, "HISTORY_STREAM: …is not valid as"},
		{[]string{"HISTORY_STREAM=a\nb"}, "HISTORY_STREAM: …is not valid as"},
		{[]string{"HISTORY_STREAM=" + strings.Repeat("a", 256)}, "HISTORY_STREAM: …up to 255 bytes"},
		{[]string{"HISTORY_MAX_AGE=24"}, "HISTORY_MAX_AGE: …with a unit"},
		{[]string{"HISTORY_MAX_AGE=-1h"}, "HISTORY_MAX_AGE: …at least 100ms, or 0s for no limit"},
		{[]string{"HISTORY_MAX_AGE=1ms"}, "HISTORY_MAX_AGE: …at least 100ms"},
		{[]string{"HISTORY_MAX_BYTES=lots"}, `HISTORY_MAX_BYTES: "lots" is not a size…`},
		{[]string{"HISTORY_MAX_BYTES=-1"}, "HISTORY_MAX_BYTES: …write a number of bytes"},
		{[]string{"HISTORY_MAX_BYTES=9EiB"}, "HISTORY_MAX_BYTES: …is not a size"},
		{[]string{"HISTORY_MAX_PER_SUBJECT=-1"}, "HISTORY_MAX_PER_SUBJECT: …write 1 or more, or 0 for no limit"},
		{[]string{"HISTORY_MAX_PER_SUBJECT=10k"}, "HISTORY_MAX_PER_SUBJECT: …is not a number"},
		{[]string{"HISTORY_REPLICAS=0"}, "HISTORY_REPLICAS: 0 is out of range; write 1 to 5"},
		{[]string{url, "HISTORY=chat.>", "HISTORY_REPLICAS=6"}, "HISTORY_REPLICAS: …write 1 to 5"},
		{[]string{"HISTORY_REPLICAS=x"}, "HISTORY_REPLICAS: …not a whole number"},
		{[]string{"HISTORY_STORAGE=disk"}, "HISTORY_STORAGE: …write file or memory"},
		{[]string{"DRAIN_DELAY=-1s"}, "DRAIN_DELAY: …write 0s"},
		{[]string{"DRAIN_WINDOW=-1s"}, "DRAIN_WINDOW: …write 0s"},
		{[]string{"LOG_LEVEL=loud"}, "LOG_LEVEL: …write debug, info, warn or error"},
		{[]string{"LOG_FORMAT=xml"}, "LOG_FORMAT: …write text or json"},
	} {
		test.isTold(t)
	}
}

// What is close to a refusal, and meant.
func TestAccepted(t *testing.T) {
	file := write(t, "file", "x")
	for _, set := range [][]string{
		{"TAILWATER_HTTP_LISTEN=:8080", "TAILWATER_ANONYMOUS_SUBSCRIBE=chat.>,time.>", "TAILWATER_ANONYMOUS_PUBLISH=chat.>"},
		{"TAILWATER_HTTP_LISTEN=127.0.0.1:0", "TAILWATER_ADMIN_LISTEN=127.0.0.1:0", "TAILWATER_EMBED_LISTEN=127.0.0.1:0"},
		{"TAILWATER_HTTP_LISTEN=127.0.0.1:8080", "TAILWATER_ADMIN_LISTEN=127.0.0.2:8080"},
		{"TAILWATER_ADMIN_LISTEN=:9090", "TAILWATER_ANONYMOUS_SUBSCRIBE=", "TAILWATER_ANONYMOUS_PUBLISH="},
		{"TAILWATER_ADMIN_LISTEN=:9090", "TAILWATER_NATS_CONTEXT=production"},                                // where nothing is open by default
		{"TAILWATER_NATS_URL=nats://localhost", "TAILWATER_PRESENCE=chat.>", "TAILWATER_HISTORY_REPLICAS=3"}, // of the bucket
		{"TAILWATER_EMBED_LISTEN="},
		{"TAILWATER_EMBED_LISTEN=:4222", "TAILWATER_EMBED_CONFIG=" + file},
		{"TAILWATER_HTTP_LISTEN=127.0.0.1:4222", "TAILWATER_EMBED_CONFIG=" + file}, // the file says where NATS listens
		{"TAILWATER_HTTP_LISTEN=127.0.0.1:4222", "TAILWATER_NATS_CONTEXT=production"},
		{"TAILWATER_NATS_NKEY=" + file, "TAILWATER_EMBED_CONFIG=" + file},
		{"TAILWATER_NATS_URL=a.example:4222, tls://b.example", "TAILWATER_NATS_CREDS=" + file, "TAILWATER_NATS_TLS_CERT=" + file, "TAILWATER_NATS_TLS_KEY=" + file},
		{"TAILWATER_NATS_URL=wss://a.example/nats"},
		{"TAILWATER_ROUTES=/config/{key...}=$KV.config.{key},/flag/{name}=$KV.flags.on.{name},/all=$KV.config.>"},
		{"TAILWATER_EMBED_CONFIG=" + file, "TAILWATER_HISTORY_REPLICAS=3"},
		{"TAILWATER_DRAIN_DELAY=0s", "TAILWATER_DRAIN_WINDOW=0s", "TAILWATER_LIMIT_BODY=64MiB", "TAILWATER_MEMORY=256MiB"},
	} {
		environ(t, set...)
		if _, err := configs.Load("", alone); err != nil {
			t.Errorf("%v: %v", set, err)
		}
		environ(t)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	environ(t, "TAILWATER_HTTP_LISTEN=:8081", "TAILWATER_LIMIT_BODY=lots", "TAILWATER_DRAIN_DELAY=-1s", "TAILWATER_EMBED_DIRS=x",
		"TAILWATER_ANONYMOUS_PUBLISH=a..b,chat.>,$SYS.>", "TAILWATER_ROUTES=/x,/y", "TAILWATER_NATS_NKEY=/nowhere")
	want := []string{
		"ANONYMOUS_PUBLISH", "ANONYMOUS_PUBLISH", "DRAIN_DELAY", "EMBED_DIRS", "HTTP_LISTEN", "HTTP_LISTEN",
		"LIMIT_BODY", "NATS_NKEY", "NATS_NKEY", "ROUTES", "ROUTES",
	}
	lines := refused(t, "")
	seen := map[string]int{}
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ": ")
		seen[strings.TrimPrefix(name, "TAILWATER_")]++
	}
	for _, name := range want {
		seen[name]--
	}
	for name, n := range seen {
		if n != 0 {
			t.Errorf("%s: %+d lines in\n%s", name, n, strings.Join(lines, "\n"))
		}
	}
}
