package main

import (
	"fmt"

	"github.com/tailwater/tailwater/configs"
)

// printHelp prints the help of a command, followed by a table of its settings.
func printHelp(out output, help, command string) error {
	if settings := settingsOf(command); settings != "" {
		help += "\nSettings, from the environment:\n\n" + settings
	}
	_, err := fmt.Fprint(out.out, help)
	return err
}

// settingsOf returns the table of a command's settings; no name stands for the command line as a whole.
func settingsOf(command string) string {
	switch command {
	case "sub", "pub", "ask", "bench", "completion", "version", "help":
		return ""
	case "token":
		return configs.Help("AUTH_JWT_SECRET", "AUTH_ISSUER", "AUTH_AUDIENCE")
	}
	return configs.Help()
}
