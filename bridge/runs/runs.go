// Package runs asks questions, and follows the answers. A run is one question and the messages on its reply subject: an ordinary subject, so
// that its readers are ordinary readers. README.md says how data flows.
package runs

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"log/slog"
	"sync"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// NATS carries questions, and the bridge's own messages.
type NATS interface {
	// Ask sends a question. Its error wraps bridge.ErrNoResponders if nobody has heard it.
	Ask(ctx context.Context, subject, reply bridge.Subject, header map[string][]string, data []byte) error
	// Publish returns bridge.ErrConflict if the subject has another last message than the header Nats-Expected-Last-Subject-Sequence says.
	Publish(ctx context.Context, subject bridge.Subject, header map[string][]string, data []byte) (bridge.Receipt, error)
	// IsConnected reports whether there is a connection.
	IsConnected() bool
	// IsStoreGone reports whether streams were there, and all are gone, with JetStream.
	IsStoreGone() bool
}

// Config says what runs need. Every field is needed, but Longest, Each and All.
type Config struct {
	Hub     *bridge.Hub
	Store   bridge.Store
	NATS    NATS
	Answers string        // the first token of reply subjects
	Silence time.Duration // after which a run has failed, if its question does not say
	Longest time.Duration // after which a run that another bridge has asked has failed; 0 for Silence
	Each    int           // runs that one account may have open; 0 for no limit
	All     int           // runs that all accounts may have open; 0 for no limit
	Log     *slog.Logger
}

// Runs follows the open runs that this bridge has asked, or somebody reads here.
type Runs struct {
	config  Config
	alive   context.Context // until Close
	stop    context.CancelFunc
	running sync.WaitGroup

	mu    sync.Mutex
	open  map[bridge.Subject]*watch
	asked map[bridge.Account]int // the open runs of each
	stats Stats
}

// Open returns runs without any.
func Open(config Config) *Runs {
	r := &Runs{config: config, open: map[bridge.Subject]*watch{}, asked: map[bridge.Account]int{}}
	r.alive, r.stop = context.WithCancel(context.Background())
	return r
}

// Close ends the watching, and waits for its end. Runs continue without it.
func (r *Runs) Close() {
	r.stop()
	r.running.Wait()
}

// anonymous is the owner of runs whose askers have no names.
const anonymous = "-"

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// idLength is the length of a run's name: 130 bits in base 32.
const idLength = 26

// Filter returns the filter of all runs' subjects.
func (r *Runs) Filter() bridge.Subject { return bridge.Subject(r.config.Answers + ".>") }

// Subject returns the subject of a caller's run; false if a run cannot have that name.
func (r *Runs) Subject(caller bridge.Caller, run string) (bridge.Subject, bool) {
	return r.subject(caller, run), isName(run)
}

func (r *Runs) subject(caller bridge.Caller, run string) bridge.Subject {
	owner := anonymous
	if !caller.Anonymous() {
		sum := sha256.Sum256([]byte(caller.Name))
		owner = encoding.EncodeToString(sum[:])[:idLength]
	}
	return bridge.Subject(r.config.Answers + "." + owner + "." + run)
}

// isName reports whether a text can be the name of a run.
func isName(text string) bool {
	_, err := encoding.DecodeString(text + "AAAAAA")
	return len(text) == idLength && err == nil
}

// name returns the name of the run of a question: chosen at random, or always the same for a key.
func name(q bridge.Question) string {
	if q.Key == "" {
		return rand.Text()[:idLength]
	}
	sum := sha256.Sum256([]byte(bridge.MessageID(q.Caller, q.Subject, q.Key, "", q.Data)))
	return encoding.EncodeToString(sum[:])[:idLength]
}
