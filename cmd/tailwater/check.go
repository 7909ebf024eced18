package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/configs"
)

// checkTimeout is how long check waits for NATS.
const checkTimeout = 5 * time.Second

type checkCommand struct{}

// Run says what the settings, which were found to be sound, amount to.
func (checkCommand) Run(_ context.Context, settings *configs.Settings, out output) error {
	table := tabwriter.NewWriter(out.out, 0, 0, 2, ' ', 0)
	row := func(what, format string, values ...any) { fmt.Fprintf(table, what+"\t"+format+"\n", values...) }
	row("settings", "ok")
	row("browsers", "http://%s", settings.HTTP.Listen)
	checkGrants(settings, row)
	err := checkNATS(settings, row)
	return errors.Join(err, flush(table))
}

func flush(table *tabwriter.Writer) error {
	if err := table.Flush(); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func checkGrants(settings *configs.Settings, row func(string, string, ...any)) {
	anonymous := settings.Anonymous
	grant := bridge.Grant{Subscribe: anonymous.Subscribe, Publish: anonymous.Publish, Wildcards: anonymous.Wildcards}
	row("anyone may read", "%s", list(anonymous.Subscribe))
	row("anyone may write", "%s", list(anonymous.Publish))
	if anonymous.Wildcards {
		row("", "with wildcards: whoever reads a filter reads everything that it covers")
	}
	for _, route := range settings.Routes {
		// A grant need not cover all that a route can name; then the rest of its paths is refused.
		verdict := "nobody may read all of it: see TAILWATER_ANONYMOUS_SUBSCRIBE"
		grant.Wildcards = true
		if grant.CheckSubscribe(route.Filter()) == nil {
			verdict = "anyone may read it"
		}
		row("route", "%s (%s)", route, verdict)
	}
}

func list(subjects configs.Subjects) string {
	if len(subjects) == 0 {
		return "nothing"
	}
	return fmt.Sprint(strings.Trim(fmt.Sprint(subjects), "[]"))
}

// checkNATS connects to external servers. An embedded one is not started: it may be running already.
func checkNATS(settings *configs.Settings, row func(string, string, ...any)) error {
	if settings.Embedded() {
		row("NATS", "embedded, listening on %s, files in %s", orNothing(string(settings.Embed.Listen)), settings.Embed.Dir)
		return nil
	}
	dial, err := external(settings.NATS)
	if err != nil {
		return err
	}
	conn, err := dial(nats.Name("tailwater check"), nats.Timeout(checkTimeout))
	if err != nil {
		row("NATS", "no connection")
		return fmt.Errorf("connect to NATS: %w", err)
	}
	defer conn.Close()
	row("NATS", "%s, server %s, version %s", conn.ConnectedAddr(), conn.ConnectedServerName(), conn.ConnectedServerVersion())
	row("", "payloads up to %s", humanize.IBytes(uint64(conn.MaxPayload())))
	if most := conn.MaxPayload(); int64(settings.Limit.Body) > most {
		row("", "TAILWATER_LIMIT_BODY is larger than that: bodies above it will be refused")
	}
	return nil
}

func orNothing(address string) string {
	if address == "" {
		return "nothing (this process only)"
	}
	return address
}
