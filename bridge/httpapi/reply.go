package httpapi

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tailwater/tailwater/bridge"
)

// reply answers POST on a run: the body is the asker's answer to a query of whoever answers. The client names the query, and the bridge
// finds in the run where its answer goes.
func (a *API) reply(w http.ResponseWriter, r *http.Request, t target) error {
	query, err := runQuery(r)
	if err != nil {
		return err
	}
	id := query.Get("query")
	if id == "" {
		return fmt.Errorf("%w: name the query that you answer, as in /answers/<run>?query=<its id>", errQuery)
	}
	caller, subject, err := a.runOf(r, query, t)
	if err != nil {
		return err
	}
	if err := a.checkRate(w, r, caller); err != nil {
		return err
	}
	account := a.account(r, caller)
	_, done, err := a.follow(r.Context(), subject, bridge.Framing{Format: bridge.Lines}, account)
	if err != nil {
		return err
	}
	defer done()
	body, free, err := a.readBody(w, r, caller)
	if err != nil {
		return err
	}
	defer free()
	if err := a.hand(r.Context(), publishTimeout, func(ctx context.Context) error {
		return a.config.Runs.Reply(ctx, subject, id, body, account)
	}); err != nil {
		return err
	}
	a.stats.posts.Add(postAccepted)
	w.WriteHeader(http.StatusAccepted)
	return nil
}
