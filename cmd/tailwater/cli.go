package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/tailwater/tailwater/configs"
)

// The exit codes.
const (
	exitFailure = 1
	exitUsage   = 2 // the command line or the settings
)

// cli is the command line.
type cli struct {
	EnvFile string           `placeholder:"FILE" help:"Read settings from this file; the environment beats it."`
	Version kong.VersionFlag `help:"Show the version."`

	Serve serveCommand `cmd:"" default:"1" help:"Run the bridge (what happens without a command)."`
	Check checkCommand `cmd:"" help:"Check the settings and the connection to NATS, and say what they amount to."`
	Token tokenCommand `cmd:"" help:"Make a token for development, with the secret of TAILWATER_AUTH_JWT_SECRET."`
	Bench benchCommand `cmd:"" help:"Put a load on a bridge, or on any other server of event streams, and measure it."`
}

// output is where a command writes: what was asked for to out, what happens to err.
type output struct{ out, err io.Writer }

// usageError is an error of whoever called.
type usageError struct{ error }

// run is main without the process: it gives the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := runCommand(ctx, args, output{stdout, stderr})
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, err)
		return exitUsage
	default:
		fmt.Fprintln(stderr, "tailwater:", err)
		return exitFailure
	}
}

func runCommand(ctx context.Context, args []string, out output) error {
	var commands cli
	shown := false // help or version, which end the parsing
	parser, err := kong.New(&commands,
		kong.Name("tailwater"),
		kong.Description("Carries NATS subjects to browsers: what is published on chat.room1 reaches every EventSource of /events/chat.room1."),
		kong.Vars{"version": "tailwater " + version()},
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

// readSettings is called for commands that take the settings, and for no others.
func readSettings(file string) (*configs.Settings, error) {
	settings, err := configs.Load(file)
	if err != nil {
		return nil, usageError{err}
	}
	return settings, nil
}

// help ends with the table of settings, where they are read.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil || ctx.Command() == "bench" {
		return err
	}
	_, err := fmt.Fprintf(ctx.Stdout, "\nSettings, from the environment:\n\n%s", configs.Help())
	return err
}

// version gives the module's version, which the go command writes into the binary.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

// isTerminal tells whether somebody reads w as it is written.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
