package source

import (
	"context"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// What callers of this package need of the packages below.
type (
	// Dialer makes the connection to NATS.
	Dialer = js.Dialer
	// Silence is a stream that leaves questions unanswered.
	Silence = js.Silence
	// History is what Tailwater keeps, in streams of its own.
	History = catalog.History
	// Apart is what has another stream than the rest of a History.
	Apart = catalog.Apart
	// Bucket says whether a bucket of the key-value store can be relied on.
	Bucket = catalog.Bucket
	// Holding is the origin of a filter's messages.
	Holding = catalog.Holding
	// Finding is something that is missing, or worth repairing.
	Finding = catalog.Finding
	// Needs determine the permissions of the bridge's own user at NATS.
	Needs = catalog.Needs
	// Permissions are the subjects that NATS must allow to the bridge's user.
	Permissions = catalog.Permissions
	// Permission is a group of subjects with one purpose.
	Permission = catalog.Permission
)

// ErrNotKept means that there cannot be a stream as TAILWATER_HISTORY asks.
var ErrNotKept = catalog.ErrNotKept

// DomainAPI returns the Config.API of a JetStream domain.
func DomainAPI(domain string) string { return js.DomainAPI(domain) }

// Command returns a command line of the nats tool for a POSIX shell. api is the Config.API that the command uses.
func Command(api string, args ...string) string { return js.Command(api, args...) }

// HistoryProblem returns what is wrong with the streams of Tailwater's own, and what to do: see catalog.Table.
func (s *Source) HistoryProblem() (problem, remedy string) { return s.table.HistoryProblem() }

// IsStoreGone reports whether streams were there, and all are gone, with JetStream.
func (s *Source) IsStoreGone() bool { return s.table.Current().IsLost() }

// AwaitHistory waits until it is known whether Tailwater's own streams can be as the settings ask.
func (s *Source) AwaitHistory(ctx context.Context) error { return s.table.AwaitHistory(ctx) }

// Bucket waits until the state of a bucket differs from was: see catalog.Table.
func (s *Source) Bucket(ctx context.Context, name string, keep time.Duration, was *Bucket) (Bucket, error) {
	return s.table.Bucket(ctx, name, keep, was)
}

// Explain returns, for each filter, the stream that serves it, or why none does, and what to repair.
func (s *Source) Explain(ctx context.Context, filters, readable []bridge.Subject) ([]Holding, error) {
	return s.table.Explain(ctx, filters, readable)
}

// Permissions returns the permissions needed with the present streams.
func (s *Source) Permissions(ctx context.Context, n Needs) (Permissions, error) {
	return s.table.Permissions(ctx, n)
}
