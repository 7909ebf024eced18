package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/tailwater/tailwater/cmd/tailwater/client"
)

// pubCommand posts as a browser does. It has the flags of nats pub, if they make sense for a bridge.
type pubCommand struct {
	Subject string  `arg:"" help:"A subject; or the path of a route, such as /outbox."`
	Body    *string `arg:"" optional:"" help:"The payload; if it is - or missing, standard input is read."`

	Count  int           `default:"1" placeholder:"N" help:"Publish the payload so many times (${default})."`
	Sleep  time.Duration `placeholder:"TIME" help:"Pause between messages (none)."`
	SendOn string        `default:"eof" enum:"eof,newline" placeholder:"eof|newline" help:"Publish standard input as one message (eof), or each line of it (newline) (${default})."`
	Event  string        `placeholder:"NAME" help:"Name of the event, for the header Tailwater-Event."`
	Key    string        `name:"idempotency-key" placeholder:"KEY" help:"Name of this message: the stream stores it once, however often the command is run within about two minutes. If there are several messages, each adds its number (a random key)."`
	JSON   bool          `name:"json" help:"Print the bridge's answers."`

	Timeout time.Duration `default:"1m" placeholder:"TIME" help:"Give up if the bridge cannot be reached for so long, with one message (${default})."`

	bridgeFlags
}

// Run publishes all messages, or up to the first one that fails.
func (c *pubCommand) Run(ctx context.Context, out output) error {
	switch {
	case c.Count < 1:
		return usageError{fmt.Errorf("tailwater pub: --count=%d; write 1 or more", c.Count)}
	case c.SendOn == "newline" && (c.Count > 1 || !c.isInput()):
		return usageError{errors.New("tailwater pub: --send-on=newline publishes standard input; leave out --count and the payload")}
	}
	bridge, err := c.open(c.Timeout, out.err)
	if err != nil {
		return err
	}
	defer bridge.Close()
	sent := 0
	err = c.eachBody(ctx, func(body []byte) error {
		if sent > 0 && !pause(ctx, c.Sleep) {
			return context.Cause(ctx)
		}
		receipt, err := bridge.Publish(ctx, bridge.At(nil, c.Subject), client.Message{Body: body, Key: c.key(sent), Event: c.Event})
		if err != nil {
			return err
		}
		sent++
		return c.print(out.out, receipt, len(body))
	})
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted after %d messages", sent)
	}
	return err
}

// isInput reports whether standard input is the payload.
func (c *pubCommand) isInput() bool { return c.Body == nil || *c.Body == "-" }

// eachBody passes each payload to publish.
func (c *pubCommand) eachBody(ctx context.Context, publish func([]byte) error) error {
	if c.SendOn == "newline" {
		return eachLine(ctx, publish)
	}
	body, err := bodyOf(ctx, c.Body)
	if err != nil {
		return err
	}
	for range c.Count {
		if err := publish(body); err != nil {
			return err
		}
	}
	return nil
}

// eachLine passes each line of standard input to publish, without its line end.
func eachLine(ctx context.Context, publish func([]byte) error) error {
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := interruptible(ctx, func() ([]byte, error) { return input.ReadBytes('\n') })
		isLast := errors.Is(err, io.EOF)
		switch {
		case isLast && len(line) == 0:
			return nil
		case err != nil && !isLast:
			return err
		}
		if end := len(line) - 1; line[end] == '\n' {
			line = line[:end]
		}
		if err := publish(line); err != nil || isLast {
			return err
		}
	}
}

// interruptible returns what read returns, or the error of ctx if that ends before. Nothing else ends a read of a terminal or a pipe; the
// process is about to end.
func interruptible(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := read()
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		return r.data, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// key is that of a message, which is counted from 0.
func (c *pubCommand) key(number int) string {
	switch {
	case c.Key == "":
		return rand.Text()
	case c.Count > 1 || c.SendOn == "newline":
		return c.Key + "." + strconv.Itoa(number+1)
	}
	return c.Key
}

func (c *pubCommand) print(to io.Writer, receipt *client.Receipt, size int) error {
	var err error
	switch {
	case c.JSON:
		_, err = fmt.Fprintf(to, "%s\n", receipt.JSON)
	case receipt.Stream == "":
		_, err = fmt.Fprintf(to, "Published %d bytes on %q; no stream stores them\n", size, receipt.Subject)
	case receipt.Duplicate:
		_, err = fmt.Fprintf(to, "Stored before on %q: stream %s, sequence %d\n", receipt.Subject, receipt.Stream, receipt.Seq)
	default:
		_, err = fmt.Fprintf(to, "Stored %d bytes on %q: stream %s, sequence %d, id %s\n", size, receipt.Subject, receipt.Stream, receipt.Seq, receipt.ID)
	}
	return err
}

// pause waits, and reports whether ctx has not ended.
func pause(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	return ctx.Err() == nil
}

// bodyOf returns the payload that an argument names: itself, or standard input.
func bodyOf(ctx context.Context, argument *string) ([]byte, error) {
	if argument != nil && *argument != "-" {
		return []byte(*argument), nil
	}
	return interruptible(ctx, func() ([]byte, error) { return io.ReadAll(os.Stdin) })
}
