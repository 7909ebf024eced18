package check

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// needs gives what the settings ask of NATS for this bridge. A route that does not grant only renames what is granted
// otherwise.
func needs(settings *configs.Settings) source.Needs {
	n := source.Needs{
		Read:    slices.Clone(settings.Anonymous.Subscribe),
		Write:   slices.Clone(settings.Anonymous.Publish),
		History: node.History(settings),
	}
	for _, route := range settings.Routes {
		if route.Grants() {
			n.Read = append(n.Read, route.Filter())
		}
		if route.GrantsPublish() {
			n.Write = append(n.Write, route.Filter())
		}
	}
	if settings.Auth.SignsIn() {
		n.Read = append(n.Read, auth.RevokedFilter)
	}
	if len(settings.Presence) > 0 {
		n.Presence = true
	}
	if settings.Demo.Time {
		n.Write = append(n.Write, node.ClockSubject)
	}
	return n
}

// refusals gives an error that names what NATS does not let the bridge do.
func refusals(holdings []source.Holding) error {
	var all []error
	for _, h := range holdings {
		for _, finding := range h.Findings {
			if finding.Refused {
				all = append(all, fmt.Errorf("%s; %s", finding.Problem, finding.Remedy))
			}
		}
	}
	return errors.Join(all...)
}

// writePermissions gives the bridge's user what it needs and no more, as it stands in a configuration of nats-server.
func writePermissions(w io.Writer, settings *configs.Settings, p source.Permissions) {
	fmt.Fprint(w, "\nPermissions that the bridge's user needs, for the configuration of your nats-server\n")
	if settings.Auth.SignsIn() {
		fmt.Fprint(w, "  (What tokens allow beyond that has to be added: only who signs them knows it.)\n")
	}
	if p.API != "" {
		fmt.Fprintf(w, "  (Servers that are of that JetStream domain themselves check $JS.API in place of %s.)\n", p.API)
	}
	fmt.Fprint(w, "  permissions = {\n")
	writeAllowed(w, "publish", p.Publish)
	writeAllowed(w, "subscribe", p.Subscribe)
	fmt.Fprint(w, "  }\n")
}

func writeAllowed(w io.Writer, what string, permissions []source.Permission) {
	fmt.Fprintf(w, "    %s = {\n      allow = [\n", what)
	for _, p := range permissions {
		fmt.Fprintf(w, "        # %s\n", p.For)
		for _, subject := range p.Subjects {
			fmt.Fprintf(w, "        %s\n", quoted(subject))
		}
	}
	fmt.Fprint(w, "      ]\n    }\n")
}

// quoted writes a string as nats-server reads it. Subjects may hold quotes and backslashes, but nothing unprintable.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
