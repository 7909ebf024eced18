package embed_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tailwater/tailwater/embed"
)

// A stream that cannot be recovered keeps the server from starting: nats-server deletes its files, and who makes it anew would find it
// empty. All of it is there again when the cause is gone.
func TestStreamThatCannotBeRecovered(t *testing.T) {
	t.Parallel()
	config, log := usual(t), new(sharedLog)
	filled(t, config, 0)
	obstacle := filepath.Join(dirOf(config), "jetstream", "$G", "streams", "S", "msgs", "100.blk")
	if err := os.Mkdir(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		refused(t, config, "cannot be recovered", "$G", "S")
	}
	remove(t, obstacle)
	server := startLogged(t, config, log)
	isKept(t, server, config, log)
}

// A process that is killed while it has files of streams aside puts them back at the next start.
func TestStartThatIsCutShort(t *testing.T) {
	t.Parallel()
	config, log := usual(t), new(sharedLog)
	filled(t, config, 0)
	kept := filepath.Join(dirOf(config), "tailwater-kept", "$G", "streams", "S")
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dirOf(config), "jetstream", "$G", "streams", "S"), kept); err != nil {
		t.Fatal(err)
	}
	server := startLogged(t, config, log)
	isKept(t, server, config, log)
}

// isKept checks that what filled has stored is there, and nothing is left of what the start needed.
func isKept(t *testing.T, server *embed.Server, config embed.Config, log *sharedLog) {
	t.Helper()
	stream, err := js(t, own(t, server)).Stream(within(t), "S")
	if err != nil {
		t.Fatal(err)
	}
	info := stream.CachedInfo()
	if state := info.State; state.LastSeq != 115 || state.NumDeleted != 1 {
		t.Errorf("of 115 messages there are %+v", state)
	}
	if began := server.Began("S", info.Created); !began.Equal(info.Created) {
		t.Errorf("created %v, began %v, logged:\n%s", info.Created, began, log)
	}
	if _, err := os.Stat(filepath.Join(dirOf(config), "tailwater-kept")); !os.IsNotExist(err) {
		t.Errorf("the folder of what is kept: %v", err)
	}
}
