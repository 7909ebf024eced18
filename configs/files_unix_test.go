//go:build unix

package configs_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tailwater/tailwater/configs"
)

// A pipe is empty at the second read: its authorization would be lost between the check and the start.
func TestEmbedConfigIsNoPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	environ(t, "TAILWATER_EMBED_CONFIG="+path)
	_, err := configs.Load("", func(*configs.Settings) ([]configs.Exposure, error) {
		t.Error("the pipe would be read")
		return nil, nil
	})
	if err == nil || !strings.HasPrefix(err.Error(), "TAILWATER_EMBED_CONFIG: ") || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("got %v", err)
	}
}
