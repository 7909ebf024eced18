package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/tailwater/tailwater/cmd/tailwater/client"
)

// subCommand reads as a browser does. It has the flags of nats sub, if they make sense for a bridge.
type subCommand struct {
	Subjects []string `arg:"" name:"subject" help:"Subjects or filters; or one path of a route, such as /inbox."`

	Since string `placeholder:"TIME" help:"Start in the past: all, last (the newest message of each subject), 10m, a time such as 2026-01-02T03:04:05Z, or the id of an event."`
	Count uint64 `placeholder:"N" help:"Stop after so many messages (no limit)."`
	AtEnd bool   `name:"terminate-at-end" short:"T" help:"Stop when all messages that --since asks for have arrived."`

	Raw   bool `short:"r" xor:"form" help:"Print only payloads, each followed by a line end."`
	Bytes bool `xor:"form" help:"Print only payloads, and nothing between them."`
	JSON  bool `name:"json" xor:"form" help:"Print each message, gap and reset as a line of JSON, as the bridge does for Accept: application/x-ndjson."`

	Timeout time.Duration `placeholder:"TIME" help:"Give up if the bridge cannot be reached for so long (never)."`

	bridgeFlags
}

// errEnough ends a subscription that has what it was asked for.
var errEnough = errors.New("enough")

// Run prints messages until it has enough, or ctx ends.
func (c *subCommand) Run(ctx context.Context, out output) error {
	if c.AtEnd && (c.Since == "" || c.Since == "new") {
		return usageError{errors.New("tailwater sub: --terminate-at-end needs a start in the past, such as --since=all")}
	}
	bridge, err := c.open(c.Timeout, out.err)
	if err != nil {
		return err
	}
	defer bridge.Close()
	printer := &printer{out: out, form: c.form()}
	err = bridge.Read(ctx, bridge.At(c.query(), c.Subjects...), func(event client.Event) error {
		if err := printer.print(event); err != nil {
			return err
		}
		if printer.messages == c.Count && c.Count > 0 || c.AtEnd && event.Type == "tailwater:synced" {
			return errEnough
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough), errors.Is(err, client.ErrComplete):
		return nil
	case ctx.Err() != nil && c.Count > 0:
		return fmt.Errorf("interrupted after %d of %d messages", printer.messages, c.Count)
	case ctx.Err() != nil:
		return nil
	}
	return err
}

// query is the query of the request. JSON keeps every byte of a payload, and has everything else that is known of a message.
func (c *subCommand) query() url.Values {
	query := url.Values{"format": {"json"}, "max": {strconv.Itoa(client.MaxEvent)}}
	if c.Since != "" {
		query.Set("since", c.Since)
	}
	return query
}

func (c *subCommand) form() form {
	switch {
	case c.Raw:
		return formRaw
	case c.Bytes:
		return formBytes
	case c.JSON:
		return formJSON
	}
	return formText
}
