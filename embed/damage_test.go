package embed_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/embed"
)

// blocks lists the files that hold a stream's messages, the oldest first.
func blocks(t *testing.T, config embed.Config, account, stream string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dirOf(config), "jetstream", account, "streams", stream, "msgs", "*.blk"))
	found = slices.DeleteFunc(found, func(name string) bool { // a restarted server may begin another
		info, err := os.Stat(name)
		return err != nil || info.Size() == 0
	})
	if err != nil || len(found) < 4 {
		t.Fatalf("blocks %v, %v", found, err)
	}
	number := func(x, y string) int { return len(x) - len(y) }
	slices.Sort(found)
	slices.SortStableFunc(found, number)
	return found
}

func truncate(t *testing.T, name string, part int64) {
	t.Helper()
	info, err := os.Stat(name)
	if err == nil {
		err = os.Truncate(name, info.Size()*part/100)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Damage to the files of a stream begins a new life of it and is logged as an error. Normal removals do not.
func TestDamagedFiles(t *testing.T) {
	for _, test := range []struct {
		name    string
		harm    func(t *testing.T, blocks []string)
		stream  jetstream.StreamConfig
		crash   bool // the server was started once more, has deleted a message, and was killed
		damaged bool
	}{
		{name: "nothing"},
		{name: "nothing after a crash", crash: true},
		{name: "the last block cut", harm: func(t *testing.T, b []string) { truncate(t, b[len(b)-1], 50) }, damaged: true},
		{name: "the last block emptied", harm: func(t *testing.T, b []string) { truncate(t, b[len(b)-1], 0) }, damaged: true},
		{name: "the last block gone after a crash", harm: loseEnd, crash: true, damaged: true},
		{name: "a middle block gone", harm: loseMiddle, stream: jetstream.StreamConfig{MaxAge: time.Hour}, damaged: true},
		{name: "a middle block gone, of messages that may have expired one by one", harm: loseMiddle, stream: jetstream.StreamConfig{AllowMsgTTL: true}},
		{name: "a middle block gone, of messages that may have been acknowledged", harm: loseMiddle, stream: jetstream.StreamConfig{Retention: jetstream.WorkQueuePolicy}},
		{name: "the first block gone", harm: func(t *testing.T, b []string) { remove(t, b[0]) }, damaged: true},
		{name: "everything expired", stream: jetstream.StreamConfig{MaxAge: 100 * time.Millisecond}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := usual(t)
			created := filled(t, config, test.stream)
			if test.crash {
				abandon(t, config)
			}
			if test.harm != nil {
				test.harm(t, blocks(t, config, "$G", "S"))
			}
			log, later := new(bridgetest.Output), new(bridgetest.Output)
			server := startLogged(t, config, log)
			began := server.Began("S", created)
			if isNew := !began.Equal(created); isNew != test.damaged || isNew != strings.Contains(log.String(), "damaged") {
				t.Errorf("created %v, began %v, logged: %s", created, began, log)
			}
			// Damage is logged once, and the new life stays.
			stop(t, server)
			if again := startLogged(t, config, later).Began("S", created); !again.Equal(began) || strings.Contains(later.String(), "level=ERROR") {
				t.Errorf("began %v, then %v, logged: %s", began, again, later)
			}
		})
	}
}

func loseMiddle(t *testing.T, b []string) { remove(t, b[len(b)/2]) }

// loseEnd removes the last block, and the file that says which sequence it ended with.
func loseEnd(t *testing.T, b []string) {
	last := b[len(b)-1]
	truncate(t, last, 0)
	remove(t, filepath.Join(filepath.Dir(last), "index.db"))
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// filled makes a stream of several blocks, deletes a message, and stops the server.
func filled(t *testing.T, config embed.Config, of jetstream.StreamConfig) (created time.Time) {
	t.Helper()
	server := start(t, config)
	defer stop(t, server)
	conn := own(t, server)
	of.Name, of.Subjects, of.MaxBytes = "S", []string{"s.>"}, 127_000
	stream, err := js(t, conn).CreateStream(within(t), of)
	if err != nil {
		t.Fatal(err)
	}
	for range 115 {
		if _, err := js(t, conn).Publish(within(t), "s.a", make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.DeleteMsg(within(t), 50); err != nil && (of.MaxAge == 0 || of.MaxAge > time.Second) {
		t.Fatal(err)
	}
	return stream.CachedInfo().Created
}

// abandon starts the server again, and leaves its files as a killed process would.
func abandon(t *testing.T, config embed.Config) {
	t.Helper()
	server := start(t, config)
	running, err := os.ReadFile(filepath.Join(dirOf(config), "tailwater-streams.json"))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js(t, own(t, server)).Stream(within(t), "S")
	if err == nil {
		err = stream.DeleteMsg(within(t), 60)
	}
	if err != nil {
		t.Fatal(err)
	}
	stop(t, server)
	if err := os.WriteFile(filepath.Join(dirOf(config), "tailwater-streams.json"), running, 0o600); err != nil {
		t.Fatal(err)
	}
}
