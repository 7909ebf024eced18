package embed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// inventoryFile lies beside JetStream's folder.
const inventoryFile = "tailwater-streams.json"

// inventory is what the file streams of a server held when that was last known. nats-server recovers what it can of damaged
// files without telling clients, and reuses lost sequences for new messages: a reader that had not seen the lost messages
// would continue as if nothing was missing.
type inventory struct {
	Clean   bool              `json:"clean"` // written at a stop: since then only age can have removed messages
	Streams map[string]record `json:"streams"`

	lives map[life]time.Time // when those began that damage has begun: few, or none
}

// life is a stream's name and creation, which a copy of it in another account shares.
type life struct {
	stream  string
	created int64 // in nanoseconds since 1970
}

// record is one life of a stream.
type record struct {
	Created  time.Time `json:"created"`
	First    uint64    `json:"first"` // sequences, as in Last
	Last     uint64    `json:"last"`
	Messages uint64    `json:"messages"`
	Began    time.Time `json:"began"` // when the stream was made, or damage was last found
}

// deleted returns how many messages between the first and the last are missing.
func (r record) deleted() uint64 {
	if r.Messages == 0 {
		return 0
	}
	return r.Last - r.First + 1 - r.Messages
}

// damaged reports whether messages are missing that nobody has removed. now may hold newer messages already, each of which may
// have removed an older one.
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

// readInventory reads the file; without a file nothing is known.
func readInventory(dir string) (inventory, error) {
	var i inventory
	text, err := os.ReadFile(filepath.Join(dir, inventoryFile))
	if errors.Is(err, fs.ErrNotExist) {
		return i, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &i)
	}
	if err != nil {
		return inventory{}, fmt.Errorf("read what the streams held: %w", err)
	}
	return i, nil
}

// write replaces the file atomically, so that a crash leaves the old or the new one. If that fails, the file is removed: changes
// since an old inventory could be mistaken for damage.
func (i inventory) write(dir string) error {
	text, _ := json.MarshalIndent(i, "", " ") // numbers and times can always be encoded
	name := filepath.Join(dir, inventoryFile)
	if err := replace(name, text); err != nil {
		_ = os.Remove(name)
		return fmt.Errorf("note what the streams hold: %w", err)
	}
	return nil
}

// held is what a stream holds now, and its configuration.
type held struct {
	record
	config *server.StreamConfig
}

// streamsOf lists the streams in files, of all accounts; nil if unknown. A cluster is not asked: the other servers have what one
// has lost.
func streamsOf(running *server.Server) (map[string]held, error) {
	if running.JetStreamIsClustered() {
		return nil, nil
	}
	accounts, err := accountsOf(running)
	if err != nil {
		return nil, err
	}
	all := map[string]held{}
	for _, account := range accounts {
		for _, stream := range account.Streams {
			if stream.Config.Storage != server.FileStorage || stream.Config.Mirror != nil {
				continue
			}
			state := stream.State
			all[account.Id+" "+stream.Name] = held{record{stream.Created, state.FirstSeq, state.LastSeq, state.Msgs, stream.Created}, stream.Config}
		}
	}
	return all, nil
}

// accountsOf returns the accounts that have JetStream, with their streams.
func accountsOf(running *server.Server) ([]*server.AccountDetail, error) {
	jsz, err := running.Jsz(&server.JSzOptions{Accounts: true, Streams: true, Config: true, Limit: math.MaxInt})
	if err != nil {
		return nil, fmt.Errorf("ask JetStream what its streams hold: %w", err)
	}
	if jsz.Disabled {
		return nil, errors.New("JetStream is off, so nothing is known about its streams")
	}
	return jsz.AccountDetails, nil
}

// renewed returns the inventory of what the streams hold now, with the lives known so far.
func (i inventory) renewed(now map[string]held) inventory {
	next := inventory{Streams: map[string]record{}}
	for key, stream := range now {
		if before, known := i.Streams[key]; known && before.Created.Equal(stream.Created) {
			stream.Began = before.Began
		}
		next.Streams[key] = stream.record
	}
	return next
}

// audit compares what the streams hold with the inventory, and starts a new life of each damaged stream.
func (i inventory) audit(now map[string]held, at time.Time, log *slog.Logger) inventory {
	next := i.renewed(now)
	for key, before := range i.Streams {
		switch stream, found := now[key]; {
		case !found && i.Clean:
			log.Error("a stream has disappeared since the last stop; its readers get a reset if it is created again", "stream", key, "messages", before.Messages, "last sequence", before.Last)
		case found && before.Created.Equal(stream.Created) && before.damaged(stream.record, i.Clean, stream.config):
			stream.Began = at
			next.Streams[key] = stream.record
			log.Error("the files of a stream are damaged, and messages are lost; its readers get a reset",
				"stream", key, "last sequence", stream.Last, "last sequence before", before.Last,
				"messages", stream.Messages, "messages before", before.Messages, "remedy", "check the disk, and restore a backup if the messages are needed")
		}
	}
	return next
}

// takeStock checks whether the files still hold what they held before. err says why before is not known. A failed check does not
// prevent the start.
func (s *Server) takeStock(running *instance, before inventory, err error) {
	now, listErr := streamsOf(running.Server)
	if err = errors.Join(err, listErr); err != nil {
		s.log.Warn("the files of the streams could not be checked for damage", "error", err)
	}
	if _, absent := running.LookupAccount(ownAccount); absent != nil { // its files wait until tokens are checked again
		maps.DeleteFunc(before.Streams, func(key string, _ record) bool { return strings.HasPrefix(key, ownAccount+" ") })
	}
	next := inventory{Streams: before.Streams}
	if now != nil {
		next = before.audit(now, time.Now().UTC(), s.log)
	}
	s.keep(next)
}

// note records what the streams hold. Messages stored until the server has stopped only add to that. If the store is broken, its
// files do not hold all that was done.
func (s *Server) note(running *instance) {
	now, err := streamsOf(running.Server)
	switch {
	case err != nil:
		s.log.Warn("damage to the files of streams will not be noticed at the next start", "error", err)
	case now != nil:
		next := s.inventory.Load().renewed(now)
		next.Clean = running.ailment() == ""
		s.keep(next)
	}
}

// keep replaces the inventory.
func (s *Server) keep(next inventory) {
	next.lives = map[life]time.Time{}
	for key, known := range next.Streams {
		of := life{key[strings.LastIndexByte(key, ' ')+1:], known.Created.UnixNano()}
		began, isDamaged := next.lives[of]
		if !isDamaged {
			began = known.Created
		}
		if known.Began.Sub(known.Created).Abs() > began.Sub(known.Created).Abs() {
			next.lives[of] = known.Began
		}
	}
	s.inventory.Store(&next)
	if err := next.write(s.dir); err != nil {
		s.log.Warn("damage to the files of streams will not be noticed at the next start", "error", err)
	}
}

// Began returns when the present life of the stream created at that time began: at its creation, or when damage to its files was
// last found. Positions of one life mean nothing in another.
func (s *Server) Began(stream string, created time.Time) time.Time {
	if began, isDamaged := s.inventory.Load().lives[life{stream, created.UnixNano()}]; isDamaged {
		return began
	}
	return created
}
