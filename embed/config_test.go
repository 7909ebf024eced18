package embed_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/embed"
)

// seen is what a server reports about its own JetStream.
type seen struct {
	StoreDir     string        `json:"store_dir"`
	SyncInterval time.Duration `json:"sync_interval"`
	SyncAlways   bool          `json:"sync_always"`
}

// observed makes a server report its configuration: the bridge is a plain user, and a second user may ask.
const observed = `
accounts {
  APP { jetstream: enabled, users: [{user: app, password: app}] }
  SYS { users: [{user: sys, password: sys}] }
}
system_account: SYS
no_auth_user: app
`

func look(t *testing.T, server *embed.Server) seen {
	t.Helper()
	system := own(t, server, nats.UserInfo("sys", "sys"))
	answer, err := system.Request("$SYS.REQ.SERVER.PING.JSZ", nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var jsz struct{ Data struct{ Config seen } }
	if err := json.Unmarshal(answer.Data, &jsz); err != nil {
		t.Fatal(err)
	}
	return jsz.Data.Config
}

func TestFileAndSettings(t *testing.T) {
	fileDir, settingDir := t.TempDir(), t.TempDir()
	minute := embed.Interval{Every: time.Minute}
	always := embed.Interval{Always: true}
	for _, test := range []struct {
		name   string
		file   string
		change func(*embed.Config)
		dir    string
		sync   embed.Interval
	}{
		{"the defaults", "", nil, settingDir, minute},
		{
			"the file beats the defaults", fmt.Sprintf("jetstream { store_dir: %q, sync_interval: 7s }", fileDir), nil,
			fileDir,
			embed.Interval{Every: 7 * time.Second},
		},
		{
			"the file syncs always", "jetstream { sync_interval: always }", nil,
			settingDir, always,
		},
		{
			"settings beat the file", fmt.Sprintf("jetstream { store_dir: %q, sync_interval: 7s }", fileDir),
			func(c *embed.Config) {
				c.Dir = set(settingDir)
				c.Sync = set(embed.Interval{Every: 3 * time.Second})
			},
			settingDir,
			embed.Interval{Every: 3 * time.Second},
		},
		{
			"a setting ends always", "jetstream { sync_interval: always }",
			func(c *embed.Config) { c.Sync = set(minute) },
			settingDir, minute,
		},
		{
			"a setting says always", "jetstream { sync_interval: 7s }",
			func(c *embed.Config) { c.Sync = set(always) },
			settingDir, always,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := withFile(t, observed+test.file)
			config.Dir.Value = settingDir
			if test.change != nil {
				test.change(&config)
			}
			got := look(t, start(t, config))
			if want := filepath.Join(test.dir, "jetstream"); got.StoreDir != want {
				t.Errorf("the folder is %s, want %s", got.StoreDir, want)
			}
			if got.SyncAlways != test.sync.Always {
				t.Errorf("the server syncs always: %v, want %v", got.SyncAlways, test.sync.Always)
			}
			if !test.sync.Always && got.SyncInterval != test.sync.Every {
				t.Errorf("the server syncs every %v, want %v", got.SyncInterval, test.sync.Every)
			}
		})
	}
}

func TestListen(t *testing.T) {
	const password = "\nauthorization { user: a, password: b }"
	for _, test := range []struct {
		name    string
		file    string
		listen  embed.Setting[string]
		want    string // the beginning of the URL
		refused []string
	}{
		{name: "a file without a listener", file: "server_name: x", listen: embed.Setting[string]{Value: loopback}, want: "nats://127.0.0.1:"},
		{name: "a file without a listener, and none set", file: "server_name: x", listen: set("")},
		{name: "the file's", file: "listen: \"[::1]:-1\"", listen: embed.Setting[string]{Value: loopback}, want: "nats://[::1]:"},
		{name: "the setting beats the file", file: "listen: \"[::1]:-1\"", listen: set(loopback), want: "nats://127.0.0.1:"},
		{name: "the setting turns the file's off", file: "listen: \"127.0.0.1:-1\"", listen: set("")},
		{name: "localhost", listen: set("localhost:0"), want: "nats://localhost:"},
		{name: "everywhere", listen: set("0.0.0.0:0"), refused: []string{"0.0.0.0", "TAILWATER_EMBED_CONFIG", "127.0.0.1"}},
		{name: "everywhere, without a host", listen: set(":0"), refused: []string{"0.0.0.0"}},
		{name: "everywhere, version 6", listen: set("[::]:0"), refused: []string{"[::]"}},
		{name: "another name", listen: set("example.org:4222"), refused: []string{"example.org:4222"}},
		{name: "everywhere by the file", file: "listen: \"0.0.0.0:-1\"", refused: []string{"0.0.0.0"}},
		{name: "everywhere by the file, with a port alone", file: "port: -1", refused: []string{"0.0.0.0"}},
		{name: "everywhere with a password", file: password, listen: set("0.0.0.0:0"), want: "nats://0.0.0.0:"},
		{name: "everywhere with a password, by the file", file: "port: -1" + password, want: "nats://0.0.0.0:"},
		{
			name: "everywhere with a password that nobody needs", listen: set("0.0.0.0:0"), refused: []string{"0.0.0.0"},
			file: "authorization { users: [{user: a, password: b}] }\nno_auth_user: a",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := withFile(t, test.file)
			config.Listen = test.listen
			if test.refused != nil {
				refused(t, config, test.refused...)
				return
			}
			server := start(t, config)
			if got := server.URL(); !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
				t.Fatalf("the server listens on %q, want %q", got, test.want)
			}
			talk(t, own(t, server), own(t, server))
			switch {
			case test.want == "":
			case strings.Contains(test.file, password):
				wantRefused(t, server)
				talk(t, stranger(t, server, nats.UserInfo("a", "b")), own(t, server))
			default:
				talk(t, stranger(t, server), own(t, server))
			}
		})
	}
}

func TestFileWithAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nats.conf")
	for _, test := range []struct {
		text  string // "" for no file
		wants []string
	}{
		{"", []string{path}},
		{"server_name: x\nauthorization {\n  nonsense: 1\n}\n", []string{path + ":3:", "nonsense"}},
		{"server_name: x\nlisten: {\n", []string{"line 3"}},
	} {
		if test.text != "" {
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := embed.ReadFile(path)
		for _, want := range append(test.wants, "TAILWATER_EMBED_CONFIG") {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error %v does not name %q", err, want)
			}
		}
	}
}
