package main

import (
	"context"

	"github.com/tailwater/tailwater/cmd/tailwater/check"
	"github.com/tailwater/tailwater/configs"
)

type checkCommand struct{}

// Run prints the result of the settings.
func (checkCommand) Run(ctx context.Context, settings *configs.Settings, out output) error {
	if err := check.Run(ctx, settings, out.out, out.err); err != nil {
		return reported{err}
	}
	return nil
}
