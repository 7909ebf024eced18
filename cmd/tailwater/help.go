package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/tailwater/tailwater/configs"
)

// help prints the help, followed by a table of the command's settings.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	settings := settingsOf(ctx.Selected())
	if settings == "" {
		return nil
	}
	_, err := fmt.Fprintf(ctx.Stdout, "\nSettings, from the environment:\n\n%s", settings)
	return err
}

// settingsOf returns the table of a command's settings; nil stands for the command line as a whole.
func settingsOf(command *kong.Node) string {
	if command == nil {
		return configs.Help()
	}
	switch command.Name {
	case "sub", "pub", "ask", "bench", "completion", "version", "help":
		return ""
	case "token":
		return configs.Help("AUTH_JWT_SECRET", "AUTH_ISSUER", "AUTH_AUDIENCE")
	}
	return configs.Help()
}
