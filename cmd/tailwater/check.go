package main

import (
	"context"

	"github.com/tailwater/tailwater/cmd/tailwater/check"
)

type checkCommand struct{}

// Run prints the result of the settings.
func (checkCommand) Run(ctx context.Context, c *cli, out output) error {
	settings, err := c.settings()
	if err != nil {
		return err
	}
	if err := check.Run(ctx, settings, out.out, out.err); err != nil {
		return reported{err}
	}
	return nil
}
