package check

import (
	"context"
	"errors"
	"math"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/configs"
)

// presence is what was found of the bucket of members.
type presence struct {
	exists  bool
	problem error // why there cannot be one; nil if there can, or nobody was asked
	refused error // why this bridge cannot write into it
	remedy  string
}

// lookForPresence looks whether all bridges can share who is here.
func lookForPresence(ctx context.Context, settings *configs.Settings, from *source.Source) (p presence) {
	if len(settings.Presence) == 0 {
		return p
	}
	bucket := from.KeyValue(bridge.PresenceBucket, settings.HistoryReplicas)
	p.exists, p.problem = bucket.Look(ctx)
	if p.problem != nil && !p.exists {
		p.remedy = bucket.Remedy()
	}
	if p.exists && p.problem == nil {
		p.refused = tryWrite(ctx, bucket)
	}
	return p
}

// tryWrite asks NATS for a write that it rejects in any case, because no key has such a revision. It returns an error if NATS refuses
// writes to this bridge's user.
func tryWrite(ctx context.Context, bucket *source.KeyValue) error {
	_, err := bucket.Put(ctx, "_lease.check", nil, math.MaxInt64, 0)
	if errors.Is(err, bridge.ErrRefused) {
		return err
	}
	return nil
}

// presence says whose members are listed, and whether all bridges have one list.
func (r report) presence(settings *configs.Settings, p presence) {
	if len(settings.Presence) == 0 {
		return
	}
	const bucket = "the bucket " + bridge.PresenceBucket
	switch {
	case p.problem != nil:
		r.row("who is here", "%s", list(settings.Presence))
		r.row("", "! each bridge lists its own members, and sees none of other bridges: %s", p.problem)
		if p.remedy != "" {
			r.row("", "  fix: %s", p.remedy)
		}
	case p.refused != nil:
		r.row("who is here", "%s, in %s", list(settings.Presence), bucket)
		r.row("", "! nobody on this bridge will be listed: %s", p.refused)
		r.row("", "  fix: give this bridge's user the permissions below")
	case p.exists:
		r.row("who is here", "%s, in %s, which all bridges share", list(settings.Presence), bucket)
	default:
		r.row("who is here", "%s, in %s, which is made at the start", list(settings.Presence), bucket)
	}
}
