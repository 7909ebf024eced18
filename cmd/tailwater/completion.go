package main

import (
	"context"
	"errors"
	"fmt"
)

// completionCommand prints what makes a shell complete the command line.
type completionCommand struct {
	Args struct {
		Shell string `positional-arg-name:"shell" required:"1" description:"bash, zsh or fish."`
	} `positional-args:"yes"`
}

// What shells call is the command itself: the package flags answers instead if the environment has GO_FLAGS_COMPLETION.
const inBash = `_tailwater() { local IFS=$'\n'; COMPREPLY=($(GO_FLAGS_COMPLETION=1 tailwater "${COMP_WORDS[@]:1:$COMP_CWORD}")); }; ` +
	"complete -o default -F _tailwater tailwater"

var completions = map[string]string{
	"bash": inBash,
	"zsh":  "autoload -U +X bashcompinit && bashcompinit && " + inBash,
	"fish": `complete -c tailwater -a "(env GO_FLAGS_COMPLETION=1 tailwater (commandline -opc)[2..-1] (commandline -ct))"`,
}

// Run prints a line for the startup file of the shell.
func (c *completionCommand) Run(_ context.Context, _ *cli, out output) error {
	line, found := completions[c.Args.Shell]
	if !found {
		return usageError{errors.New("tailwater completion: the shells are bash, zsh and fish")}
	}
	_, err := fmt.Fprintln(out.out, line)
	return err
}
