package configs_test

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/configs"
)

// environ removes all settings from the environment and sets these NAME=value pairs, until the test ends.
func environ(t *testing.T, pairs ...string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "TAILWATER_") {
			t.Setenv(name, value) // so that the test's end restores it
			os.Unsetenv(name)
		}
	}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
}

// prefixed returns NAME=value pairs with the prefix of settings.
func prefixed(pairs ...string) []string {
	var all []string
	for _, pair := range pairs {
		all = append(all, "TAILWATER_"+pair)
	}
	return all
}

// write writes a file and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// alone is an embedded server that only this machine can reach.
func alone(*configs.Settings) ([]configs.Exposure, error) { return nil, nil }

func load(t *testing.T, envFile string) *configs.Settings {
	t.Helper()
	s, err := configs.Load(envFile, alone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

// auto is the default of HTTP_LOOPS.
const auto configs.Loops = -1

func TestLoops(t *testing.T) {
	environ(t)
	if n := load(t, "").HTTP.Loops.Number(); n < 1 || n > runtime.GOMAXPROCS(0) {
		t.Errorf("%d loops by themselves", n)
	}
	environ(t, "TAILWATER_HTTP_LOOPS=3")
	same(t, "loops", load(t, "").HTTP.Loops.Number(), 3)
}

func TestNothingSet(t *testing.T) {
	environ(t)
	s := load(t, "")
	same(t, "Embedded", s.Embedded(), true)
	same(t, "HTTP", s.HTTP, configs.HTTP{Listen: "127.0.0.1:8080", Loops: auto, Pages: true, LoopbackOrigins: true, LoopbackHosts: true})
	same(t, "Admin", s.Admin, configs.Admin{Listen: "127.0.0.1:8081", ReadyWithoutNATS: configs.Patience{Forever: true}})
	same(t, "NATS", s.NATS, configs.NATS{Service: "tailwater"})
	same(t, "Embed", s.Embed, configs.Embed{Listen: "127.0.0.1:4222", Dir: "tailwater-data", Sync: configs.Sync{Interval: time.Second}})
	same(t, "Routes", len(s.Routes), 0)
	same(t, "Anonymous", s.Anonymous, configs.Anonymous{Subscribe: configs.Subjects{"chat.>", "time.>"}, Publish: configs.Subjects{"chat.>"}})
	same(t, "Kept", s.Kept, kept("chat.>", "answers.>"))
	same(t, "Asked", s.Asked, configs.Asked{Answers: "answers", AnswersMaxBytes: 64 << 20, AnswersSilence: time.Minute})
	same(t, "Limit", s.Limit, configs.Limit{Connections: 50000, PublishRate: configs.Rate{Count: 20, Per: time.Second}, Body: 256 << 10, Subjects: 32, WriteTimeout: 20 * time.Second, ConnectionAge: time.Hour})
	same(t, "Drain", s.Drain, configs.Drain{Window: time.Second})
	same(t, "Log", s.Log, configs.Log{})
	same(t, "Demo", s.Demo, configs.Demo{Time: true})
	same(t, "IsSet", s.IsSet("HTTP_LISTEN"), false)
}

func TestExternalServer(t *testing.T) {
	for _, setting := range []string{"TAILWATER_NATS_URL=nats://nats.example.com", "TAILWATER_NATS_CONTEXT=production"} {
		// Also beyond loopback: nothing is open by default.
		environ(t, setting, "TAILWATER_HTTP_LISTEN=:8080")
		s := load(t, "")
		same(t, "Embedded", s.Embedded(), false)
		same(t, "HTTP", s.HTTP, configs.HTTP{Listen: ":8080", Loops: auto})
		same(t, "ConnectionsPerIP", s.Limit.ConnectionsPerIP, configs.Count(200))
		same(t, "ReadRate", s.Limit.ReadRate, configs.Rate{Count: 200, Per: time.Second})
		same(t, "Anonymous", s.Anonymous, configs.Anonymous{})
		same(t, "Kept", s.Kept, kept())
		same(t, "Demo", s.Demo, configs.Demo{})
	}
}

// kept is the stream of these subjects with all other settings at their defaults.
func kept(subjects ...bridge.Subject) configs.Kept {
	return configs.Kept{
		History:              subjects,
		HistoryStream:        "TAILWATER",
		HistoryMaxAge:        24 * time.Hour,
		HistoryMaxBytes:      1 << 30,
		HistoryMaxPerSubject: 10_000,
		HistoryReplicas:      1,
		HistoryStorage:       "file",
	}
}

func TestHistory(t *testing.T) {
	for _, test := range []struct {
		set  string // separated by blanks, without the prefix
		want configs.Kept
	}{
		{"HISTORY=", kept()},
		{"HISTORY=log.>,chat.room1", kept("log.>", "chat.room1")},
		{"HISTORY=a.*.c,a.*.d,a.b,a.b.e.>", kept("a.*.c", "a.*.d", "a.b", "a.b.e.>")},
		{
			"HISTORY=größe.> HISTORY_STREAM=Größe-1_a HISTORY_MAX_AGE=1h30m HISTORY_MAX_BYTES=2TiB HISTORY_MAX_PER_SUBJECT=1 HISTORY_STORAGE=memory",
			configs.Kept{
				History: configs.Subjects{"größe.>"}, HistoryStream: "Größe-1_a", HistoryMaxAge: 90 * time.Minute,
				HistoryMaxBytes: 2 << 40, HistoryMaxPerSubject: 1, HistoryReplicas: 1, HistoryStorage: "memory",
			},
		},
		{
			"NATS_URL=nats://h HISTORY=chat.> HISTORY_MAX_AGE=0s HISTORY_MAX_BYTES=0 HISTORY_MAX_PER_SUBJECT=0 HISTORY_REPLICAS=5",
			configs.Kept{History: configs.Subjects{"chat.>"}, HistoryStream: "TAILWATER", HistoryReplicas: 5, HistoryStorage: "file"},
		},
	} {
		environ(t, prefixed(strings.Fields(test.set)...)...)
		same(t, test.set, load(t, "").Kept, test.want)
	}
}

func TestEverythingSet(t *testing.T) {
	config := write(t, "nats.conf", "")
	environ(t,
		"TAILWATER_HTTP_LISTEN=0.0.0.0:80",
		"TAILWATER_HTTP_ORIGINS=https://Chat.example.com, http://[::1]:3000,https://a.example:443",
		"TAILWATER_HTTP_HOSTS=Chat.Example.com, 192.0.2.1,[2001:db8::1]",
		"TAILWATER_HTTP_LOOPS=0",
		"TAILWATER_HTTP_PAGES=true",
		"TAILWATER_ADMIN_LISTEN=",
		"TAILWATER_NATS_CREDS="+config,
		"TAILWATER_EMBED_LISTEN=0.0.0.0:4222",
		"TAILWATER_EMBED_CONFIG="+config,
		"TAILWATER_EMBED_SYNC=always",
		"TAILWATER_ROUTES=/chat/{room}=chat.{room}, /time=time.now",
		"TAILWATER_ANONYMOUS_SUBSCRIBE=chat.>",
		"TAILWATER_ANONYMOUS_PUBLISH=",
		"TAILWATER_LIMIT_BODY=1MB",
		"TAILWATER_LIMIT_WRITE_TIMEOUT=1m30s",
		"TAILWATER_LOG_LEVEL=WARN",
		"TAILWATER_LOG_FORMAT=json",
		"TAILWATER_DEMO_TIME=false",
	)
	s := load(t, "")
	same(t, "HTTP", s.HTTP, configs.HTTP{
		Listen:  "0.0.0.0:80",
		Origins: configs.Origins{"https://chat.example.com", "http://[::1]:3000", "https://a.example"},
		Hosts:   configs.Hosts{"chat.example.com", "192.0.2.1", "2001:db8::1"},
		Pages:   true,
	})
	same(t, "ADMIN_LISTEN", s.Admin.Listen, configs.Address(""))
	same(t, "EMBED_SYNC", s.Embed.Sync, configs.Sync{Always: true})
	same(t, "ROUTES", s.Routes[0].String()+" "+s.Routes[1].String(), "/chat/{room}=chat.{room} /time=time.now")
	same(t, "ANONYMOUS_SUBSCRIBE", []bridge.Subject(s.Anonymous.Subscribe), []bridge.Subject{"chat.>"})
	same(t, "ANONYMOUS_PUBLISH", len(s.Anonymous.Publish), 0)
	same(t, "LIMIT_BODY", s.Limit.Body, configs.Bytes(1_000_000))
	same(t, "LIMIT_WRITE_TIMEOUT", s.Limit.WriteTimeout, 90*time.Second)
	same(t, "LOG_LEVEL", s.Log.Level.String(), "WARN")
	same(t, "DEMO_TIME", s.Demo.Time, false)
	same(t, "IsSet", s.IsSet("ADMIN_LISTEN"), true)
}

// On a loopback listener, a list that is set replaces the loopback names.
func TestListsReplaceLoopbackNames(t *testing.T) {
	environ(t, "TAILWATER_HTTP_HOSTS=localhost", "TAILWATER_HTTP_ORIGINS=")
	s := load(t, "")
	same(t, "HTTP", s.HTTP, configs.HTTP{Listen: "127.0.0.1:8080", Hosts: configs.Hosts{"localhost"}, Loops: auto, Pages: true})
}

func TestUnprefixedNamesAreNeverRead(t *testing.T) {
	environ(t)
	want := load(t, "")
	environ(t, "NATS_URL=nats://production.example.com", "NATS_CONTEXT=production", "URL=nats://x", "LISTEN=:1", "HTTP_LISTEN=:1",
		"PORT=1", "EMBED_DIR=/", "DIR=/", "ROUTES=/a=b", "LOG_LEVEL=debug", "LEVEL=debug", "DEMO_TIME=false", "CREDS=x", "HISTORY=x.>", "HISTORY_STREAM=X", "KEPT_HISTORY=x.>", "STREAM=X")
	same(t, "settings", load(t, ""), want)
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:8080": true, "127.9.9.9:0": true, "[::1]:8080": true, "[::ffff:127.0.0.1]:1": true, "LocalHost:8080": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "192.0.2.1:8080": false, "localhost.example.com:8080": false,
		"127.0.0.1": false, "": false,
	} {
		same(t, addr, configs.Loopback(addr), want)
	}
}
