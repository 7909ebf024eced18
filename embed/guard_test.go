package embed_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/embed"
)

const bucket = "tailwater_test"

func guarded(config embed.Config) embed.Config {
	config.Bucket = bucket
	return config
}

// login returns the credential of a context.
func login(t *testing.T, path string) nats.Option {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var context struct{ User, Password string }
	if err := json.Unmarshal(text, &context); err != nil {
		t.Fatal(err)
	}
	secrets.Plant(context.Password)
	return nats.UserInfo(context.User, context.Password)
}

func bucketOf(t *testing.T, conn *nats.Conn) jetstream.KeyValue {
	t.Helper()
	kv, err := js(t, conn).KeyValue(within(t), bucket)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func holdsKey(t *testing.T, conn *nats.Conn, key string) bool {
	t.Helper()
	_, err := bucketOf(t, conn).Get(within(t), key)
	return err == nil
}

func put(t *testing.T, conn *nats.Conn, key string) {
	t.Helper()
	if _, err := bucketOf(t, conn).Put(within(t), key, nil); err != nil {
		t.Fatal(err)
	}
}

// A server that keeps the bridge's own bucket requires its credentials, before and after a reload, and keeps the keys. So does
// a restarted server.
func TestGuard(t *testing.T) {
	for name, text := range map[string]string{"no file": "", "a file without users": "max_payload: 2MB\njetstream { max_file_store: 1GB }\n"} {
		t.Run(name, func(t *testing.T) {
			config := guarded(usual(t))
			if text != "" {
				config = guarded(withFile(t, text))
			}
			server := start(t, config)
			check := func() {
				t.Helper()
				wantRefused(t, server)
				wantRefused(t, server, nats.UserInfo("tailwater", ""))
				talk(t, own(t, server), stranger(t, server, login(t, server.PublisherContext())))
				if !holdsKey(t, stranger(t, server, login(t, server.AdminContext())), "a") {
					t.Error("the key is gone")
				}
				if _, err := js(t, own(t, server)).CreateOrUpdateStream(within(t), jetstream.StreamConfig{Name: "A", Subjects: []string{"a.>"}}); err != nil {
					t.Errorf("the account of all clients has no JetStream: %v", err)
				}
			}
			put(t, stranger(t, server, login(t, server.AdminContext())), "a")
			check()
			if text != "" {
				write(t, &config, text+"max_connections: 1000\n")
				if err := server.Reload(); err != nil {
					t.Fatal(err)
				}
				check()
				write(t, &config, text+"authorization { users: [{user: a, password: swordfish}] }\n")
				if err := server.Reload(); err == nil {
					t.Error("a reload has moved the bridge's own bucket")
				}
				check()
			}
			stop(t, server)
			config.Listen = set(loopback)
			if text != "" {
				write(t, &config, text)
			}
			server = start(t, config)
			check()
		})
	}
}

// If the file configures authorization, the file also says who may write a bucket.
func TestNoGuard(t *testing.T) {
	for name, config := range map[string]embed.Config{
		"users":      guarded(withFile(t, "authorization { users: [{user: a, password: swordfish}] }")),
		"no buckets": usual(t),
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, config)
			if server.IsGuarded() || server.PublisherContext()+server.AdminContext() != "" {
				t.Error("the server is guarded")
			}
			if left, err := filepath.Glob(filepath.Join(dirOf(config), "tailwater-*.json")); err != nil || len(left) > 1 { // the inventory
				t.Errorf("there is %v, %v", left, err)
			}
		})
	}
	refused(t, guarded(withFile(t, "mappings { a: b }")), "TAILWATER_EMBED_CONFIG", "authorization")
}

// A credential that cannot be read is not replaced: it may still be in use.
func TestCredentialThatIsNone(t *testing.T) {
	config := guarded(usual(t))
	stop(t, start(t, config))
	path := filepath.Join(dirOf(config), "tailwater-admin.json")
	if err := os.WriteFile(path, []byte(`{"password":`), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, config, path, "remove the file")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	start(t, config)
}

// A server without a listener has no clients that could sign in.
func TestGuardWithoutListener(t *testing.T) {
	config := guarded(usual(t))
	config.Listen = set("")
	server := start(t, config)
	left, err := filepath.Glob(filepath.Join(dirOf(config), "tailwater-*.json"))
	if err != nil || len(left) > 1 { // the inventory
		t.Errorf("there is %v, %v", left, err)
	}
	if !server.IsGuarded() || server.PublisherContext()+server.AdminContext() != "" {
		t.Fatal("there are credentials that nobody can use")
	}
	if publisher, admin := config.Contexts(); publisher+admin != "" {
		t.Errorf("credentials are announced that nobody can use: %s, %s", publisher, admin)
	}
	conn, err := server.DialOwn()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	put(t, conn, "a")
}
