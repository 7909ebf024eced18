package js

import (
	"strings"
)

// Command returns a command line of the nats tool for a POSIX shell. api is the Config.API that the command uses.
func Command(api string, args ...string) string {
	line := "nats"
	for _, arg := range append(args, reachAPI(api)...) {
		line += " " + Quote(arg)
	}
	return line
}

// reachAPI returns the flags that make the nats tool use the same JetStream.
func reachAPI(api string) []string {
	domain, isDomain := strings.CutPrefix(api, "$JS.")
	domain, ends := strings.CutSuffix(domain, ".API")
	switch {
	case api == "" || api == DefaultAPI:
		return nil
	case isDomain && ends && !strings.Contains(domain, "."):
		return []string{"--js-domain=" + domain}
	}
	return []string{"--js-api-prefix=" + api}
}

// Command returns a command for this JetStream.
func (a API) Command(args ...string) string {
	if a.Context != "" {
		args = append([]string{"--context", a.Context}, args...)
	}
	return Command(a.Prefix, args...)
}

// Edit returns the command that edits a stream.
func (a API) Edit(stream string, flags ...string) string {
	return a.Command(append([]string{"stream", "edit", stream}, flags...)...)
}

// Quote quotes an argument for a POSIX shell.
func Quote(arg string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.,:/"
	if arg != "" && strings.Trim(arg, plain) == "" {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
