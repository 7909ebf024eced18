package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand prints what makes a shell complete the command line.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

var completions = map[string]string{
	"bash": "complete -o default -C 'tailwater complete' tailwater",
	"zsh":  "autoload -U +X bashcompinit && bashcompinit && complete -o default -C 'tailwater complete' tailwater",
	"fish": `complete -c tailwater -a "(env COMP_LINE=(commandline -cp) tailwater complete)"`,
}

// Run prints a line for the startup file of the shell.
func (c *completionCommand) Run(out output) error {
	_, err := fmt.Fprintln(out.out, completions[c.Shell])
	return err
}

// completeCommand is called by shells, with the command line in the environment, as bash does for `complete -C`.
type completeCommand struct {
	Words []string `arg:"" optional:"" help:"What bash adds; not used."`
}

// Run prints how the last word can continue, a word a line.
func (*completeCommand) Run(app *kong.Kong, out output) error {
	line := os.Getenv("COMP_LINE")
	if point, err := strconv.Atoi(os.Getenv("COMP_POINT")); err == nil && point >= 0 && point < len(line) {
		line = line[:point]
	}
	at := strings.LastIndexByte(line, ' ') + 1
	for _, word := range candidates(app.Model.Node, strings.Fields(line[:at])) {
		if strings.HasPrefix(word, line[at:]) {
			fmt.Fprintln(out.out, word)
		}
	}
	return nil
}

// candidates returns the words that may follow others, of which the first is the program's name.
func candidates(node *kong.Node, before []string) (words []string) {
	for _, word := range before[min(1, len(before)):] {
		if i := slices.IndexFunc(node.Children, func(child *kong.Node) bool { return child.Name == word }); i >= 0 {
			node = node.Children[i]
		}
	}
	for _, child := range node.Children {
		if !child.Hidden {
			words = append(words, child.Name)
		}
	}
	for _, flags := range node.AllFlags(true) {
		for _, flag := range flags {
			words = append(words, "--"+flag.Name)
		}
	}
	return words
}
