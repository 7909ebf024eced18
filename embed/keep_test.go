package embed_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/embed"
)

// A stream that cannot be recovered prevents the start: nats-server deletes its files, and a client that creates the stream again
// would find it empty. Everything is there again when the cause is gone.
func TestStreamThatCannotBeRecovered(t *testing.T) {
	t.Parallel()
	config, log := usual(t), new(bridgetest.Output)
	filled(t, config, jetstream.StreamConfig{})
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

// A process that is killed during a start puts the files of streams back at its next start.
func TestStartThatIsCutShort(t *testing.T) {
	t.Parallel()
	config, log := usual(t), new(bridgetest.Output)
	filled(t, config, jetstream.StreamConfig{})
	kept := filepath.Join(dirOf(config), "tailwater-kept", "$G", "streams", "S")
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(dirOf(config), "jetstream", "$G", "streams", "S")
	if err := os.Rename(there, kept); err != nil {
		t.Fatal(err)
	}
	server := startLogged(t, config, log)
	isKept(t, server, config, log)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	// The server was removing the files.
	if err := os.CopyFS(kept, os.DirFS(there)); err != nil {
		t.Fatal(err)
	}
	removeAll(t, filepath.Join(there, "msgs"))
	isKept(t, startLogged(t, config, log), config, log)
}

// isKept checks that everything that filled has stored is there, and nothing is left of what the start needed.
func isKept(t *testing.T, server *embed.Server, config embed.Config, log *bridgetest.Output) {
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

// What a killed process leaves of a stream that it was deleting or creating is not a lost stream: the server starts, and the stream
// can be created.
func TestStreamsThatWereNone(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(t *testing.T, streams string){
		"deleted": func(t *testing.T, streams string) { // as nats-server calls it while it removes the files
			if err := os.Rename(filepath.Join(streams, "S"), filepath.Join(streams, ".S")); err != nil {
				t.Fatal(err)
			}
		},
		"begun": func(t *testing.T, streams string) { // before its configuration is written
			removeAll(t, filepath.Join(streams, "S"))
			for _, folder := range []string{"msgs", "obs"} {
				if err := os.MkdirAll(filepath.Join(streams, "S", folder), 0o700); err != nil {
					t.Fatal(err)
				}
			}
		},
		"begun to be described": func(t *testing.T, streams string) { // before the checksum of that is
			for _, content := range []string{"msgs", "meta.sum"} {
				removeAll(t, filepath.Join(streams, "S", content))
			}
			if err := os.Truncate(filepath.Join(streams, "S", "meta.inf"), 10); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := usual(t)
			filled(t, config, jetstream.StreamConfig{})
			leave(t, filepath.Join(dirOf(config), "jetstream", "$G", "streams"))
			filled(t, config, jetstream.StreamConfig{})
			if _, err := os.Stat(filepath.Join(dirOf(config), "tailwater-kept")); !os.IsNotExist(err) {
				t.Errorf("the folder of what is kept: %v", err)
			}
		})
	}
}

// A stream with messages whose configuration is lost is not mistaken for one that was never created.
func TestStreamWithoutItsConfiguration(t *testing.T) {
	t.Parallel()
	config := usual(t)
	filled(t, config, jetstream.StreamConfig{})
	for _, name := range []string{"meta.inf", "meta.sum"} {
		remove(t, filepath.Join(dirOf(config), "jetstream", "$G", "streams", "S", name))
	}
	refused(t, config, "cannot be recovered", "$G", "S")
}

// The files of an account that has lost JetStream, by a change of the configuration, are kept, and the server starts. The streams
// are back when the account has JetStream again.
func TestAccountWithoutJetStream(t *testing.T) {
	t.Parallel()
	config := withFile(t, "")
	allow := func(jetStream string) {
		write(t, &config, `accounts { A { jetstream: enabled, users: [ { user: a, password: swordfish } ] }, B { jetstream: `+jetStream+`, users: [ { user: b, password: swordfish } ] } }
no_auth_user: a`)
	}
	run := func(with func(b jetstream.JetStream)) {
		server := start(t, config)
		defer stop(t, server)
		with(js(t, stranger(t, server, nats.UserInfo("b", "swordfish"))))
	}
	allow("enabled")
	run(func(b jetstream.JetStream) {
		if _, err := b.CreateStream(within(t), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
			t.Fatal(err)
		}
	})
	allow("disabled")
	run(func(jetstream.JetStream) {})
	allow("enabled")
	run(func(b jetstream.JetStream) {
		if _, err := b.Stream(within(t), "S"); err != nil {
			t.Error(err)
		}
	})
}

func removeAll(t *testing.T, name string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
}
