package main

import (
	"fmt"
	"runtime"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

type versionCommand struct{}

// Run prints the version, as --version does.
func (versionCommand) Run(out output) error {
	_, err := fmt.Fprintln(out.out, versionLine())
	return err
}

func versionLine() string {
	line := "tailwater " + node.Version()
	if commit := node.Commit(); commit != "" {
		line += ", commit " + commit
	}
	return fmt.Sprintf("%s, %s %s/%s", line, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
