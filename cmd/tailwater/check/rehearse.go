package check

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
	"github.com/tailwater/tailwater/embed"
)

// rehearse finds out whether the embedded server could create Tailwater's own streams, and adds the reason to the holdings of their
// subjects if not. A stream that exists is not created, so it needs no room.
func rehearse(settings *configs.Settings, config embed.Config, holdings []source.Holding) error {
	keep := node.History(settings)
	keep.Subjects = slices.DeleteFunc(slices.Clone(keep.Subjects), func(s bridge.Subject) bool { return config.HasStream(keep.StreamOf(s)) })
	concerned := slices.IndexFunc(holdings, func(h source.Holding) bool {
		return slices.ContainsFunc(keep.Subjects, func(kept bridge.Subject) bool { return kept.Covers(h.Filter) })
	})
	if concerned < 0 {
		return nil
	}
	return embed.Rehearse(config, slog.New(slog.DiscardHandler), func(server *embed.Server) error {
		finding, err := rehearsed(keep, server)
		if finding.Problem != "" {
			holdings[concerned].Findings = append(holdings[concerned].Findings, finding)
		}
		return err
	})
}

// rehearsed creates the streams on a server that exists only for that.
func rehearsed(keep source.History, server *embed.Server) (source.Finding, error) {
	from, err := source.Open(server.Dial, source.Config{History: keep}, slog.New(slog.DiscardHandler))
	if err != nil {
		return source.Finding{}, err
	}
	defer from.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	switch err := from.AwaitHistory(ctx); {
	case errors.Is(err, source.ErrNotKept):
		problem, remedy := from.HistoryProblem()
		return source.Finding{Problem: problem, Remedy: remedy, Refused: true}, nil
	case err != nil:
		return source.Finding{}, err
	}
	problem, remedy := from.HistoryProblem()
	return source.Finding{Problem: problem, Remedy: remedy}, nil
}
