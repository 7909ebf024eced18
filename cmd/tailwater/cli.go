package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/tailwater/tailwater/cmd/tailwater/client"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// The exit codes.
const (
	exitFailure = 1
	exitUsage   = 2 // the command line or the settings
	exitRefused = 3 // the bridge refuses, and asking again will not help
	exitAway    = 4 // the bridge could not be reached for as long as --timeout says
)

// cli is the command line.
type cli struct {
	EnvFile     string           `placeholder:"FILE" help:"Read settings from this file; the environment wins over it."`
	ShowVersion kong.VersionFlag `name:"version" help:"Show the version."`

	Serve serveCommand `cmd:"" default:"1" help:"Run the bridge (the default command)."`
	Check checkCommand `cmd:"" help:"Check the settings and the connection to NATS, and print the result."`
	Sub   subCommand   `cmd:"" help:"Print the messages of subjects, read from a bridge over HTTP."`
	Pub   pubCommand   `cmd:"" help:"Publish messages through a bridge over HTTP."`
	Ask   askCommand   `cmd:"" help:"Ask a question through a bridge over HTTP, and print the answer as it arrives."`
	Token tokenCommand `cmd:"" help:"Make a token for development, with the secret of TAILWATER_AUTH_JWT_SECRET."`
	Bench benchCommand `cmd:"" help:"Put load on a bridge, or on any other server of event streams, and measure it."`

	Completion completionCommand `cmd:"" help:"Print the line that makes a shell complete this command."`
	Complete   completeCommand   `cmd:"" hidden:"" passthrough:""`

	Version versionCommand `cmd:"" help:"Show the version."`
	Help    helpCommand    `cmd:"" help:"Show the help of a command, like its --help."`
}

// output is where a command writes: its result to out, and messages about its work to err.
type output struct{ out, err io.Writer }

// usageError is an error in the command line or the settings.
type usageError struct{ error }

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := runCommand(ctx, args, output{stdout, stderr})
	code, prefix := exitFailure, "tailwater: "
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(usageError)), errors.As(err, new(node.SettingsError)):
		code, prefix = exitUsage, ""
	case errors.Is(err, client.ErrGaveUp):
		code = exitAway
	case errors.As(err, new(*client.Refusal)):
		code = exitRefused
	}
	if !errors.As(err, new(reported)) {
		fmt.Fprintln(stderr, prefix+err.Error())
	}
	return code
}

// reported is an error that its command has printed already.
type reported struct{ error }

func (e reported) Unwrap() error { return e.error }

func runCommand(ctx context.Context, args []string, out output) error {
	var commands cli
	shown := false // help or version was printed, which ends the parsing
	parser, err := kong.New(&commands,
		kong.Name("tailwater"),
		kong.Description("Carries NATS subjects to browsers: messages on chat.room1 reach every EventSource of /events/chat.room1."),
		kong.Vars{"version": versionLine()},
		kong.Help(help),
		kong.Writers(out.out, out.err),
		kong.Exit(func(int) { shown = true }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(out),
		kong.BindToProvider(func() (*configs.Settings, error) { return readSettings(commands.EnvFile) }),
	)
	if err != nil {
		return fmt.Errorf("set up the command line: %w", err)
	}
	parsed, err := parser.Parse(args)
	switch {
	case shown:
		return nil
	case err != nil:
		return usageError{fmt.Errorf("tailwater: %w; see tailwater --help", err)}
	}
	return parsed.Run()
}

type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command; none for all commands."`
}

// Run prints the help of a command.
func (c *helpCommand) Run(ctx context.Context, out output) error {
	return runCommand(ctx, append(c.Command, "--help"), out)
}

// readSettings is called only for commands that use the settings.
func readSettings(file string) (*configs.Settings, error) {
	settings, err := configs.Load(file, node.Inspect)
	if err == nil {
		err = settings.ExportTelemetry()
	}
	if err != nil {
		return nil, usageError{err}
	}
	return settings, nil
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
