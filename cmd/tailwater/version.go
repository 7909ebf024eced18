package main

import (
	"fmt"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

type versionCommand struct{}

// Run prints the version, as --version does.
func (versionCommand) Run(out output) error {
	_, err := fmt.Fprintln(out.out, versionLine())
	return err
}

func versionLine() string { return "tailwater " + node.Version() }
