package embed_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// An inventory that could not be replaced, as on a full disk, says nothing about later changes: it causes no reset.
func TestStaleInventory(t *testing.T) {
	config := usual(t)
	created := filled(t, config, jetstream.StreamConfig{})
	blocked := filepath.Join(dirOf(config), "tailwater-streams.json.new")
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	server := start(t, config)
	stream, err := js(t, own(t, server)).Stream(within(t), "S")
	if err == nil {
		err = stream.Purge(within(t), jetstream.WithPurgeKeep(10))
	}
	if err != nil {
		t.Fatal(err)
	}
	stop(t, server)
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	log := new(bridgetest.Output)
	if began := startLogged(t, config, log).Began("S", created); !began.Equal(created) || strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("created %v, began %v, logged: %s", created, began, log)
	}
}

// The inventory knows the streams of every account, however many there are.
func TestInventoryOfManyAccounts(t *testing.T) {
	t.Parallel()
	var accounts strings.Builder
	for i := range 1025 { // more than nats-server lists at once by default
		fmt.Fprintf(&accounts, "A%d { jetstream: enabled }\n", i)
	}
	config := withFile(t, "accounts {\n"+accounts.String()+"Z { jetstream: enabled, users: [{user: z, password: swordfish}] } }\nno_auth_user: z")
	created := filled(t, config, jetstream.StreamConfig{})
	truncate(t, blocks(t, config, "Z", "S")[3], 0)
	if began := start(t, config).Began("S", created); began.Equal(created) {
		t.Error("damage is not noticed")
	}
}

// A copy of a stream in another account has the same name and creation time. Damage to one of the two begins one new life for whoever asks.
func TestDamageToACopyOfAStream(t *testing.T) {
	t.Parallel()
	config := withFile(t, "accounts { A { jetstream: enabled, users: [{user: a, password: swordfish}] }, B { jetstream: enabled } }\nno_auth_user: a")
	created := filled(t, config, jetstream.StreamConfig{})
	accounts := filepath.Join(dirOf(config), "jetstream")
	if err := os.CopyFS(filepath.Join(accounts, "B"), os.DirFS(filepath.Join(accounts, "A"))); err != nil {
		t.Fatal(err)
	}
	stop(t, start(t, config))
	truncate(t, blocks(t, config, "A", "S")[3], 0)
	server := start(t, config)
	for range 100 {
		if server.Began("S", created).Equal(created) {
			t.Fatal("damage is noticed by some only")
		}
	}
}

// If the server's streams are unknown, no stream is reported as gone. A lost stream does not prevent the start: the other servers have it.
func TestNoStreamIsGoneInACluster(t *testing.T) {
	config := withFile(t, "server_name: a, cluster { name: c, listen: \"127.0.0.1:-1\", routes: [\"nats://127.0.0.1:1\"] }")
	alone := config
	alone.File = nil
	filled(t, alone, jetstream.StreamConfig{})
	if err := os.Mkdir(filepath.Join(dirOf(config), "jetstream", "$G", "streams", "S", "msgs", "100.blk"), 0o700); err != nil {
		t.Fatal(err)
	}
	log := new(bridgetest.Output)
	stop(t, startLogged(t, config, log)) // the server logs until it has stopped
	if strings.Contains(log.String(), "disappeared") {
		t.Errorf("logged: %s", log)
	}
}
