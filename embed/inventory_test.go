package embed_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/embed"
)

// An inventory that could not be replaced, as on a full disk, says nothing about later changes: it causes no reset.
func TestStaleInventory(t *testing.T) {
	config := usual(t)
	created := filled(t, config, 0)
	blocked := filepath.Join(dirOf(config), "tailwater-streams.json.new")
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	server, err := embed.Start(config, quiet)
	if err != nil {
		t.Fatal(err)
	}
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
	var log errorsLog
	if server, err = embed.Start(config, log.logger()); err != nil {
		t.Fatal(err)
	}
	defer stop(t, server)
	if began := server.Began("S", created); !began.Equal(created) || log.String() != "" {
		t.Errorf("created %v, began %v, logged: %s", created, began, log.String())
	}
}

// If the server's streams are unknown, no stream is reported as gone.
func TestNoStreamIsGoneInACluster(t *testing.T) {
	config := withFile(t, "server_name: a, cluster { name: c, listen: \"127.0.0.1:-1\", routes: [\"nats://127.0.0.1:1\"] }")
	alone := config
	alone.File = ""
	filled(t, alone, 0)
	var log errorsLog
	server, err := embed.Start(config, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	stop(t, server) // the server logs until it has stopped
	if strings.Contains(log.String(), "is gone") {
		t.Errorf("logged: %s", log.String())
	}
}
