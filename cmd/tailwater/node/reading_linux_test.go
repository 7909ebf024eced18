package node_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/cmd/tailwater/nodetest"
)

// From the settings to the server that runs, the file of EMBED_CONFIG is read once: what was judged is what is applied.
func TestEmbedConfigIsReadOnce(t *testing.T) {
	for name, text := range map[string]string{
		"guarded": "max_payload: 2MB\n",
		"users":   "authorization { users = [ {user: ann, password: swordfish} ] }\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "nats.conf")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var opened *node.Node
			if n := bridgetest.Reads(t, file, func() {
				settings := nodetest.Settings(t, map[string]string{
					"EMBED_CONFIG": file, "EMBED_LISTEN": "127.0.0.1:0", "EMBED_DIR": t.TempDir(), "HTTP_LISTEN": "127.0.0.1:0", "ADMIN_LISTEN": "",
					"AUTH_JWT_SECRET": "0123456789abcdef0123456789abcdef", "AUTH_AUDIENCE": "x", "DRAIN_WINDOW": "0s", "PRESENCE": "", // its bucket is made later, while nats-server reads its options without a lock
				})
				var err error
				if opened, err = node.Open(settings, slog.New(slog.DiscardHandler)); err != nil {
					t.Fatal(err)
				}
			}); n != 1 {
				t.Errorf("a start reads the file %d times", n)
			}
			// A reload reads what the file says by then.
			if n := bridgetest.Reads(t, file, func() {
				if err := opened.Embedded.Reload(); err != nil {
					t.Error(err)
				}
			}); n != 1 {
				t.Errorf("a reload reads the file %d times", n)
			}
			if err := opened.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
