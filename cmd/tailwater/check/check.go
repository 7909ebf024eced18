// Package check prints the result of the settings: a table, advice, and the permissions that the bridge needs at NATS.
package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// timeout is how long check waits for NATS.
const timeout = 5 * time.Second

// Run prints the result of settings that are valid in themselves to out. If something keeps the bridge from serving, Run prints that to
// stderr and returns it.
func Run(ctx context.Context, settings *configs.Settings, out, stderr io.Writer) error {
	shown := &warnings{Writer: out}
	err := report{tabwriter.NewWriter(shown, 0, 0, 2, ' ', 0)}.all(ctx, settings, shown)
	if err != nil {
		fmt.Fprintln(stderr, "tailwater:", err)
	}
	_, failed := fmt.Fprintf(out, "\n%s\n", verdict(err, shown.count))
	if failed != nil {
		fmt.Fprintln(stderr, "tailwater:", failed)
	}
	return errors.Join(err, failed)
}

// verdict returns the last line of check.
func verdict(err error, warnings int) string {
	switch {
	case err != nil:
		return "Verdict: not ready to serve; the reasons are above."
	case warnings > 0:
		return fmt.Sprintf("Verdict: ready to serve, with %s to check, marked with an exclamation mark.", english.Plural(warnings, "thing", ""))
	}
	return "Verdict: ready to serve."
}

// all writes everything except the verdict to w, which also receives the report's table.
func (r report) all(ctx context.Context, settings *configs.Settings, w io.Writer) error {
	r.browsers(settings)
	r.memory(settings)
	for _, hint := range settings.Hints() {
		r.row("", "! %s", hint)
	}
	r.grants(settings)
	keysErr := r.signIn(ctx, settings)
	found, err := r.nats(settings)
	err = errors.Join(taken(settings), keysErr, err, r.traces(), r.table.Flush())
	adviseAnswers(settings, found.holdings)
	writeHoldings(w, settings, found.holdings)
	if !settings.Embedded() {
		writePermissions(w, settings, found.permissions)
	}
	return err
}

// traces prints whether traces are sent.
func (r report) traces() error {
	variable, unsent, err := node.Traces()
	if variable == "" {
		return err
	}
	r.row("traces", "sent to the collector of %s", variable)
	for _, line := range unsent {
		r.row("", "! %s", line)
	}
	return err
}

func (r report) grants(settings *configs.Settings) {
	anonymous := settings.Anonymous
	r.row("anyone may read", "%s", list(anonymous.Subscribe))
	r.row("anyone may write", "%s", list(anonymous.Publish))
	if anonymous.Wildcards {
		r.row("", "with wildcards: a filter reads everything that it covers")
	}
	grant := bridge.Grant{Subscribe: anonymous.Subscribe, Wildcards: true}
	for _, route := range settings.Routes {
		// A grant need not cover all paths of a route; then the others are refused.
		verdict := "nobody may read all its subjects: see TAILWATER_ANONYMOUS_SUBSCRIBE"
		switch {
		case route.Asks():
			verdict = mayAsk(settings, route)
		case route.GrantsPublish():
			verdict = "each caller may read and write the subject that its token names"
		case route.NeedsClaims():
			verdict = "each caller may read the subject that its token names"
		case route.NamesBucket():
			verdict = "anyone may read it, because it names a bucket"
		case grant.CheckRoute(route, route.Filter()) == nil:
			verdict = "anyone may read it"
		}
		r.row("route", "%s (%s)", route, verdict)
	}
	r.answers(settings)
}

// found is what NATS answers.
type found struct {
	holdings    []source.Holding // of all filters in the settings
	permissions source.Permissions
	revoked     *source.Bucket // nil if NATS was not asked
	presence    presence
}

func (r report) nats(settings *configs.Settings) (found, error) {
	if settings.Embedded() {
		holdings, err := r.embedded(settings)
		return found{holdings: holdings}, err
	}
	// The permissions are printed even if connecting fails: they may be the reason.
	dial, api, err := node.External(settings.NATS)
	needs := needs(settings)
	needs.API = api
	unasked := found{permissions: needs.Permissions()}
	if err != nil {
		return unasked, err
	}
	conn, err := connect(dial)
	if err != nil {
		r.row("NATS", "no connection")
		return unasked, fmt.Errorf("connect to NATS: %w", err)
	}
	defer conn.Close()
	r.row("NATS", "%s, server %s, version %s", conn.ConnectedAddr(), conn.ConnectedServerName(), conn.ConnectedServerVersion())
	r.row("", "payloads up to %s", humanize.IBytes(uint64(conn.MaxPayload())))
	if int64(settings.Limit.Body) > conn.MaxPayload() {
		r.row("", "TAILWATER_LIMIT_BODY is larger: bodies above the server's limit will be refused")
	}
	asked, err := explain(settings, dial, api)
	if err != nil {
		asked = unasked
	}
	r.presence(settings, asked.presence)
	r.service(settings, "", dial)
	return asked, errors.Join(permitted(settings, dial), refusals(asked.holdings), r.revoked(asked.revoked), err)
}

// explain asks which stream holds each filter in the settings, and what needs repair, and determines the permissions of the bridge's
// user.
func explain(settings *configs.Settings, dial source.Dialer, api string) (found, error) {
	keep := node.History(settings)
	keep.Look = true
	from, err := source.Open(dial, source.Config{History: keep, API: api}, slog.New(slog.DiscardHandler))
	if err != nil {
		return found{}, err
	}
	defer from.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	needs := needs(settings)
	// Filters without a line of their own may be refused too.
	holdings, err := from.Explain(ctx, slices.Concat(filters(settings), needs.Read), needs.Read)
	if err != nil {
		return found{}, fmt.Errorf("ask which streams there are: %w", err)
	}
	permissions, err := from.Permissions(ctx, needs)
	found := found{holdings: holdings, permissions: permissions, presence: lookForPresence(ctx, settings, from)}
	if err != nil || !settings.Auth.SignsIn() {
		return found, err
	}
	revoked, err := from.Bucket(ctx, auth.RevokedBucket, settings.Auth.MaxLife, nil)
	found.revoked = &revoked
	return found, err
}

// connect dials for check.
func connect(dial source.Dialer) (*nats.Conn, error) {
	silent := func(*nats.Conn, *nats.Subscription, error) {} // refused asks for the error
	return dial(nats.Name("tailwater check"), nats.Timeout(timeout), nats.ErrorHandler(silent))
}

// permitted returns an error if NATS does not let the bridge subscribe to what callers may read.
func permitted(settings *configs.Settings, dial source.Dialer) error {
	refusal, err := refused(dial, needs(settings).Read)
	if refusal != nil {
		return fmt.Errorf("NATS does not allow this bridge to read what callers may: %w; allow the bridge's user to subscribe to them", refusal)
	}
	return err
}

// refused subscribes to subjects, on a connection of its own, and returns what NATS refuses. The error says why that is unknown.
func refused(dial source.Dialer, subjects []bridge.Subject) (refusal, err error) {
	conn, err := connect(dial)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS once more: %w", err)
	}
	defer conn.Close()
	for _, subject := range subjects {
		if _, err := conn.SubscribeSync(string(subject)); err != nil {
			return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
		}
	}
	if err := conn.FlushTimeout(timeout); err != nil {
		return nil, fmt.Errorf("ask NATS: %w", err)
	}
	if err := conn.LastError(); errors.Is(err, nats.ErrPermissionViolation) || errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
		return err, nil
	}
	return nil, nil
}

// embedded checks the server without starting it, because it may be running already. So streams are known only from the settings.
func (r report) embedded(settings *configs.Settings) ([]source.Holding, error) {
	config, err := node.Embedded(settings)
	if err != nil {
		return nil, err
	}
	where := "listening on " + string(settings.Embed.Listen)
	switch {
	case settings.Embed.Config != "":
		where = "as " + settings.Embed.Config + " says"
	case settings.Embed.Listen == "":
		where = "for this process only"
	}
	r.row("NATS", "embedded, %s, files in %s", where, settings.Embed.Dir)
	r.presence(settings, presence{})
	publisher, admin := config.Contexts()
	if publisher != "" {
		r.row("", "clients sign in: %s", source.Command("", "--context", publisher))
		r.row("", "to revoke tokens: %s", source.Command("", "--context", admin))
	}
	r.service(settings, admin, nil)
	var holdings []source.Holding
	for _, filter := range filters(settings) {
		h := source.Holding{Filter: filter, Why: "TAILWATER_HISTORY does not cover it (your own streams were not checked)"}
		if isKept(filter, settings) {
			h.Stream, h.Why = node.History(settings).StreamOf(filter), ""
		}
		holdings = append(holdings, h)
	}
	return holdings, errors.Join(rehearse(settings, config, holdings), refusals(holdings))
}
