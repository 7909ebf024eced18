package source

import (
	"slices"
	"strings"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// Command returns a command line of the nats tool for a POSIX shell. api is the Config.API that the command is to use, too.
func Command(api string, args ...string) string {
	line := "nats"
	for _, arg := range append(args, reachAPI(api)...) {
		line += " " + quote(arg)
	}
	return line
}

// reachAPI returns the flags with which the nats tool uses the same JetStream.
func reachAPI(api string) []string {
	domain, isDomain := strings.CutPrefix(api, "$JS.")
	domain, ends := strings.CutSuffix(domain, ".API")
	switch {
	case api == "" || api == defaultAPI:
		return nil
	case isDomain && ends && !strings.Contains(domain, "."):
		return []string{"--js-domain=" + domain}
	}
	return []string{"--js-api-prefix=" + api}
}

// command returns a command for this JetStream.
func (a api) command(args ...string) string {
	if a.context != "" {
		args = append([]string{"--context", a.context}, args...)
	}
	return Command(a.prefix, args...)
}

// edit returns the command that edits a stream.
func (a api) edit(stream string, flags ...string) string {
	return a.command(append([]string{"stream", "edit", stream}, flags...)...)
}

func quote(arg string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.,:/"
	if arg != "" && strings.Trim(arg, plain) == "" {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// duration writes a duration for the nats command.
func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// subjectsFlag returns the flag that gives a stream its subjects. It reports false where the nats tool would split one of
// them, or where JetStream would refuse them to a stream that acknowledges.
func subjectsFlag(subjects []string) (string, bool) {
	for _, s := range subjects {
		if strings.Contains(s, ",") || reachesNATS(bridge.Subject(s)) {
			return "", false
		}
	}
	return "--subjects=" + strings.Join(slices.Sorted(slices.Values(subjects)), ","), true
}

// reachesNATS reports whether JetStream refuses a subject to a stream that acknowledges: the stream would store its own answers.
func reachesNATS(subject bridge.Subject) bool {
	return slices.ContainsFunc([]bridge.Subject{"$JS.>", "$JSC.>", "$NRG.>", "$SYS.>"}, subject.Overlaps)
}
