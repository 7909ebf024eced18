package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/configs"
)

// checkTimeout is how long check waits for NATS.
const checkTimeout = 5 * time.Second

type checkCommand struct{}

// Run says what the settings, which were found to be sound in themselves, amount to.
func (checkCommand) Run(_ context.Context, settings *configs.Settings, out output) error {
	report := report{tabwriter.NewWriter(out.out, 0, 0, 2, ' ', 0)}
	report.row("browsers", "listening on %s", settings.HTTP.Listen)
	report.grants(settings)
	err := report.nats(settings)
	return errors.Join(err, report.table.Flush())
}

// report is what check prints: a table of two columns.
type report struct{ table *tabwriter.Writer }

func (r report) row(what, format string, values ...any) {
	fmt.Fprintf(r.table, what+"\t"+format+"\n", values...)
}

func (r report) grants(settings *configs.Settings) {
	anonymous := settings.Anonymous
	r.row("anyone may read", "%s", list(anonymous.Subscribe))
	r.row("anyone may write", "%s", list(anonymous.Publish))
	if anonymous.Wildcards {
		r.row("", "with wildcards: whoever reads a filter reads everything that it covers")
	}
	grant := bridge.Grant{Subscribe: anonymous.Subscribe, Wildcards: true}
	for _, route := range settings.Routes {
		// A grant need not cover all that a route can name; then the rest of its paths is refused.
		verdict := "nobody may read all of it: see TAILWATER_ANONYMOUS_SUBSCRIBE"
		if route.Grants() || grant.CheckSubscribe(route.Filter()) == nil {
			verdict = "anyone may read it"
		}
		r.row("route", "%s (%s)", route, verdict)
	}
}

func list(subjects configs.Subjects) string {
	if len(subjects) == 0 {
		return "nothing"
	}
	names := make([]string, len(subjects))
	for i, subject := range subjects {
		names[i] = string(subject)
	}
	return strings.Join(names, " ")
}

func (r report) nats(settings *configs.Settings) error {
	if settings.Embedded() {
		return r.embedded(settings)
	}
	dial, err := external(settings.NATS)
	if err != nil {
		return err
	}
	refused := make(chan error, 1)
	conn, err := dial(nats.Name("tailwater check"), nats.Timeout(checkTimeout), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		select {
		case refused <- err:
		default: // the first is enough
		}
	}))
	if err != nil {
		r.row("NATS", "no connection")
		return fmt.Errorf("connect to NATS: %w", err)
	}
	defer conn.Close()
	r.row("NATS", "%s, server %s, version %s", conn.ConnectedAddr(), conn.ConnectedServerName(), conn.ConnectedServerVersion())
	r.row("", "payloads up to %s", humanize.IBytes(uint64(conn.MaxPayload())))
	if int64(settings.Limit.Body) > conn.MaxPayload() {
		r.row("", "TAILWATER_LIMIT_BODY is larger than that: bodies above it will be refused")
	}
	return errors.Join(r.permissions(settings, conn, refused), r.streams(settings, dial))
}

// streams says which stream is behind each route and each subject that callers may read, and how to mend what is wrong.
func (r report) streams(settings *configs.Settings, dial source.Dialer) error {
	keep := history(settings)
	keep.Look = true
	from, err := source.Open(dial, keep, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer from.Close()
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	holdings, err := from.Explain(ctx, filters(settings))
	if err != nil {
		return fmt.Errorf("ask which streams there are: %w", err)
	}
	for _, h := range holdings {
		r.holding(h, settings)
	}
	return nil
}

// filters are the subjects that are worth a word: of routes, those that anyone may read, and those that are kept.
func filters(settings *configs.Settings) []bridge.Subject {
	var all []bridge.Subject
	for _, route := range settings.Routes {
		all = append(all, route.Filter())
	}
	all = append(append(all, settings.Anonymous.Subscribe...), settings.History...)
	slices.Sort(all)
	return slices.Compact(all)
}

func (r report) holding(h source.Holding, settings *configs.Settings) {
	switch {
	case h.Stream != "":
		r.row(string(h.Filter), "kept in the stream %s", h.Stream)
	case isKept(h.Filter, settings) && len(h.Findings) == 0:
		r.row(string(h.Filter), "will be kept in the stream %s, which is made at the start", settings.HistoryStream)
	default:
		r.row(string(h.Filter), "without history: %s", h.Why)
	}
	for _, finding := range h.Findings {
		r.row("", "! %s", finding.Problem)
		if finding.Remedy != "" {
			r.row("", "  mend it: %s", finding.Remedy)
		}
	}
}

func isKept(filter bridge.Subject, settings *configs.Settings) bool {
	return slices.ContainsFunc(settings.History, func(kept bridge.Subject) bool { return kept.Covers(filter) })
}

// permissions tries to subscribe to what callers may read.
func (r report) permissions(settings *configs.Settings, conn *nats.Conn, refused <-chan error) error {
	for _, subject := range settings.Anonymous.Subscribe {
		if _, err := conn.SubscribeSync(string(subject)); err != nil {
			return fmt.Errorf("subscribe to %s: %w", subject, err)
		}
	}
	if err := conn.FlushTimeout(checkTimeout); err != nil {
		return fmt.Errorf("ask NATS: %w", err)
	}
	if conn.LastError() == nil {
		return nil
	}
	return fmt.Errorf("NATS does not let this bridge read what callers may: %w; allow it to the bridge's user", <-refused)
}

// embedded checks the server without starting it: it may be running already.
func (r report) embedded(settings *configs.Settings) error {
	if _, err := embedded(settings); err != nil {
		return err
	}
	where := "listening on " + string(settings.Embed.Listen)
	switch {
	case settings.Embed.Config != "":
		where = "as " + settings.Embed.Config + " says"
	case settings.Embed.Listen == "":
		where = "for this process only"
	}
	r.row("NATS", "embedded, %s, files in %s", where, settings.Embed.Dir)
	for _, filter := range filters(settings) {
		if isKept(filter, settings) {
			r.row(string(filter), "kept in the stream %s", settings.HistoryStream)
		} else {
			r.row(string(filter), "without history, unless a stream of yours holds it; see TAILWATER_HISTORY")
		}
	}
	return nil
}
