package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/jessevdk/go-flags"
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

// cli has the flags of every command.
type cli struct {
	EnvFile     string `long:"env-file" value-name:"FILE" description:"Read settings from this file; the environment wins over it."`
	ShowVersion bool   `long:"version" description:"Show the version."`
}

// settings reads the settings, for commands that use them.
func (c *cli) settings() (*configs.Settings, error) {
	settings, err := configs.Load(c.EnvFile, node.Inspect)
	if err == nil {
		err = settings.ExportTelemetry()
	}
	if err != nil {
		return nil, usageError{err}
	}
	return settings, nil
}

// command has the flags of a command, and runs when they are parsed.
type command interface {
	Run(ctx context.Context, c *cli, out output) error
}

// named is a command with its name and what it is for.
type named struct {
	name, help string
	command
}

// commands returns the commands of one command line.
func commands() []named {
	return []named{
		{"serve", "Run the bridge (the default command).", &serveCommand{}},
		{"check", "Check the settings and the connection to NATS, and print the result.", &checkCommand{}},
		{"sub", "Print the messages of subjects, read from a bridge over HTTP.", &subCommand{}},
		{"pub", "Publish messages through a bridge over HTTP.", &pubCommand{}},
		{"ask", "Ask a question through a bridge over HTTP, and print the answer as it arrives.", &askCommand{}},
		{"token", "Make a token for development, with the secret of TAILWATER_AUTH_JWT_SECRET.", &tokenCommand{}},
		{"bench", "Put load on a bridge, or on any other server of event streams, and measure it.", &benchCommand{}},
		{"completion", "Print the line that makes a shell complete this command.", &completionCommand{}},
		{"version", "Show the version.", &versionCommand{}},
		{"help", "Show the help of a command, like its --help.", &helpCommand{}},
	}
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
	var global cli
	all := commands()
	parser := flags.NewNamedParser("tailwater", flags.HelpFlag|flags.PassDoubleDash|flags.AllowBoolValues)
	parser.LongDescription = "Carries NATS subjects to browsers: messages on chat.room1 reach every EventSource of /events/chat.room1."
	parser.SubcommandsOptional = true
	_, err := parser.AddGroup("Options of every command", "", &global)
	for _, c := range all {
		_, problem := parser.AddCommand(c.name, c.help, c.help, c.command)
		err = errors.Join(err, problem)
	}
	if err != nil {
		return fmt.Errorf("set up the command line: %w", err)
	}
	rest, err := parser.ParseArgs(args)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("unexpected argument %q", rest[0])
	}
	name := ""
	if parser.Active != nil {
		name = parser.Active.Name
	}
	switch {
	case flags.WroteHelp(err):
		return printHelp(out, err.Error(), name)
	case global.ShowVersion:
		name = "version"
	case err != nil:
		return usageError{fmt.Errorf("tailwater: %w; see tailwater --help", err)}
	case name == "":
		name = "serve"
	}
	return all[slices.IndexFunc(all, isNamed(name))].Run(ctx, &global, out)
}

func isNamed(name string) func(named) bool { return func(c named) bool { return c.name == name } }

type helpCommand struct {
	Args struct {
		Command string `positional-arg-name:"command" description:"The command; none for all commands."`
	} `positional-args:"yes"`
}

// Run prints the help of a command.
func (c *helpCommand) Run(ctx context.Context, _ *cli, out output) error {
	switch name := c.Args.Command; {
	case name == "":
		return runCommand(ctx, []string{"--help"}, out)
	case !slices.ContainsFunc(commands(), isNamed(name)):
		return usageError{fmt.Errorf("tailwater help: there is no command %q", name)}
	default:
		return runCommand(ctx, []string{name, "--help"}, out)
	}
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
