package embed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ledgerFile lies beside JetStream's folder.
const ledgerFile = "tailwater-streams.json"

// ledger is what the file streams of a server held when it was last known. nats-server recovers what it can of damaged
// files without a word to clients, and gives sequences that it has lost to new messages: a reader who had not seen the lost
// ones would go on as if nothing was missing.
type ledger struct {
	Clean   bool              `json:"clean"` // the server was stopped behind it: nothing can have been removed since but by age
	Streams map[string]record `json:"streams"`
}

// record is one life of a stream.
type record struct {
	Created  time.Time `json:"created"`
	First    uint64    `json:"first"` // sequences, as in Last
	Last     uint64    `json:"last"`
	Messages uint64    `json:"messages"`
	Began    time.Time `json:"began"` // the stream's life: when it was made, or when damage was last found
}

// deleted returns how many messages between the first and the last are gone.
func (r record) deleted() uint64 {
	if r.Messages == 0 {
		return 0
	}
	return r.Last - r.First + 1 - r.Messages
}

// damaged reports whether messages are gone that nobody has removed. now may hold newer ones already, each of which may have
// taken the place of an older one.
func (r record) damaged(now record, clean bool, config *server.StreamConfig) bool {
	added := now.Last - min(r.Last, now.Last)
	switch {
	case now.Last < r.Last:
		return true
	case !clean || config.AllowMsgTTL || config.Retention != server.LimitsPolicy: // messages may have been removed one by one
		return false
	case now.deleted() > r.deleted()+added:
		return true
	default:
		return config.MaxAge == 0 && now.Messages+added < r.Messages
	}
}

// readLedger reads the file; without one nothing is known.
func readLedger(dir string) (ledger, error) {
	var l ledger
	text, err := os.ReadFile(filepath.Join(dir, ledgerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		return ledger{}, fmt.Errorf("read what the streams held: %w", err)
	}
	return l, nil
}

// write replaces the file at one moment, so that a crash leaves the old one or the new one. Where it cannot, there is none: what
// an old one says of a server that has run since could be taken for damage.
func (l ledger) write(dir string) error {
	text, err := json.MarshalIndent(l, "", " ")
	if err != nil {
		return err
	}
	name := filepath.Join(dir, ledgerFile)
	if err := replace(name, text); err != nil {
		_ = os.Remove(name)
		return fmt.Errorf("note what the streams hold: %w", err)
	}
	return nil
}

// held is what a stream holds now, and its configuration.
type held struct {
	record
	account, name string
	config        *server.StreamConfig
}

// streamsOf lists the streams in files, of all accounts; nil where that is not known. In a cluster it is not asked: there other
// servers have what one has lost.
func streamsOf(running *server.Server) (map[string]held, error) {
	if running.JetStreamIsClustered() {
		return nil, nil
	}
	jsz, err := running.Jsz(&server.JSzOptions{Accounts: true, Streams: true, Config: true})
	if err != nil {
		return nil, fmt.Errorf("ask JetStream what its streams hold: %w", err)
	}
	if jsz.Disabled {
		return nil, errors.New("JetStream is off, so that nothing is known of its streams")
	}
	all := map[string]held{}
	for _, account := range jsz.AccountDetails {
		for _, stream := range account.Streams {
			if stream.Config == nil || stream.Config.Storage != server.FileStorage || stream.Config.Mirror != nil {
				continue
			}
			state := stream.State
			all[account.Id+" "+stream.Name] = held{
				record{stream.Created, state.FirstSeq, state.LastSeq, state.Msgs, stream.Created},
				account.Id, stream.Name, stream.Config,
			}
		}
	}
	return all, nil
}

// renewed is what the streams hold now, in the lives that are known of them.
func (l ledger) renewed(now map[string]held, clean bool) ledger {
	next := ledger{Clean: clean, Streams: map[string]record{}}
	for key, stream := range now {
		if before, known := l.Streams[key]; known && before.Created.Equal(stream.Created) {
			stream.Began = before.Began
		}
		next.Streams[key] = stream.record
	}
	return next
}

// audit compares what the streams hold with the ledger, and begins a new life of each that is damaged.
func (l ledger) audit(now map[string]held, at time.Time, log *slog.Logger) ledger {
	next := ledger{Streams: map[string]record{}}
	for key, before := range l.Streams {
		if _, found := now[key]; !found && l.Clean {
			log.Error("a stream that was there at the last stop is gone; its readers get a reset if it is made anew", "stream", key, "messages", before.Messages, "last sequence", before.Last)
		}
	}
	for key, stream := range now {
		before, known := l.Streams[key]
		if known && before.Created.Equal(stream.Created) {
			stream.Began = before.Began
			if before.damaged(stream.record, l.Clean, stream.config) {
				stream.Began = at
				log.Error("the files of a stream are damaged, and messages are lost; its readers get a reset",
					"stream", stream.name, "account", stream.account, "last sequence", stream.Last, "last sequence before", before.Last,
					"messages", stream.Messages, "messages before", before.Messages, "remedy", "look after the disk, and restore a backup if the messages are needed")
			}
		}
		next.Streams[key] = stream.record
	}
	return next
}
