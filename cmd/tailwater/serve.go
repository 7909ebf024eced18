package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

type serveCommand struct{}

// Run serves until ctx ends.
func (serveCommand) Run(ctx context.Context, settings *configs.Settings, out output) error {
	log := newLog(settings.Log, out.err)
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP) // before anything slow
	defer signal.Stop(hangUp)
	for _, hint := range settings.Hints() {
		log.Warn(hint)
	}
	node.LimitRuntime(settings.Machine, log)
	running, err := node.Open(settings, log)
	if err != nil {
		return err
	}
	if isTerminal(out.out) {
		fmt.Fprint(out.out, running.Banner())
	}
	failure := running.Wait(ctx, hangUp)
	return errors.Join(failure, running.Close())
}
