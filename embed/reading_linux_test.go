package embed_test

import (
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/embed"
)

// A file is judged and applied as it was read once. A file that changes between two readings would be applied without having been judged.
func TestFileIsReadOnce(t *testing.T) {
	for name, text := range map[string]string{
		"guarded": "max_payload: 2MB\n",
		"users":   "authorization { users = [ {user: ann, password: swordfish} ] }\n",
	} {
		t.Run(name, func(t *testing.T) {
			config := guarded(withFile(t, text))
			if n := bridgetest.Reads(t, config.File, func() {
				if _, err := config.Listeners(); err != nil {
					t.Error(err)
				}
			}); n != 1 {
				t.Errorf("Listeners reads the file %d times", n)
			}
			var server *embed.Server
			if n := bridgetest.Reads(t, config.File, func() { server = start(t, config) }); n != 1 {
				t.Errorf("Start reads the file %d times", n)
			}
			if n := bridgetest.Reads(t, config.File, func() {
				if err := server.Reload(); err != nil {
					t.Error(err)
				}
			}); n != 1 {
				t.Errorf("Reload reads the file %d times", n)
			}
		})
	}
}
