package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tailwater/tailwater/cmd/tailwater/client"
)

// askCommand asks as a page does.
type askCommand struct {
	Route string  `arg:"" help:"The path of a route that asks, such as /ask/echo."`
	Body  *string `arg:"" optional:"" help:"The question; if it is - or missing, standard input is read."`

	Replies uint64        `placeholder:"N" help:"Stop after so many messages, for programs that send no end, such as nats reply (until the answer ends)."`
	Key     string        `name:"idempotency-key" placeholder:"KEY" help:"Name of this question: it is asked once, however often the command is run while its answer is kept, and the answer is printed again (a random key)."`
	Raw     bool          `short:"r" xor:"form" help:"Print each message of the answer on a line of its own."`
	JSON    bool          `name:"json" xor:"form" help:"Print each message as a line of JSON."`
	Timeout time.Duration `default:"1m" placeholder:"TIME" help:"Give up if the bridge cannot be reached for so long (${default})."`

	bridgeFlags
}

// Run prints the answer as it arrives. If ctx ends first, the answer is stopped.
func (c *askCommand) Run(ctx context.Context, out output) error {
	if !strings.HasPrefix(c.Route, "/") {
		return usageError{errors.New("tailwater ask: name the path of a route that asks, such as /ask/echo; routes are in TAILWATER_ROUTES of the bridge")}
	}
	bridge, err := c.open(c.Timeout, out.err)
	if err != nil {
		return err
	}
	defer bridge.Close()
	body, err := bodyOf(ctx, c.Body)
	if err != nil {
		return err
	}
	question := client.Message{Body: body, Key: c.Key}
	if question.Key == "" {
		question.Key = rand.Text()
	}
	printer := &printer{out: out, form: c.form()}
	query := url.Values{"format": {"json"}, "max": {strconv.Itoa(client.MaxEvent)}}
	err = bridge.Ask(ctx, bridge.At(query, c.Route), question, func(event client.Event) error {
		if err := printer.print(event); err != nil || printer.messages != c.Replies || c.Replies == 0 {
			return err
		}
		return errEnough
	})
	switch {
	case errors.Is(err, errEnough):
		err = nil
	case ctx.Err() != nil:
		err = fmt.Errorf("the answer has not ended: %w", err)
	}
	return errors.Join(err, printer.endLine())
}

func (c *askCommand) form() form {
	switch {
	case c.Raw:
		return formRaw
	case c.JSON:
		return formJSON
	}
	return formBytes
}
