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

// needs returns what this bridge needs from NATS. A route without a grant only gives other names to what is granted elsewhere.
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
	n.Agents = agents(settings)
	n.Read = append(n.Read, asked(settings)...)
	n.Write = append(n.Write, asked(settings)...)
	if settings.Auth.SignsIn() {
		n.Read = append(n.Read, auth.RevokedFilter)
	}
	n.Presence = len(settings.Presence) > 0
	n.Service = string(settings.NATS.Service)
	if settings.Demo.Time {
		n.Write = append(n.Write, node.ClockSubject)
	}
	return n
}

// refusals returns an error that lists what NATS refuses the bridge.
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

// writePermissions prints exactly the permissions that the bridge's user needs, in the syntax of nats-server's configuration.
func writePermissions(w io.Writer, settings *configs.Settings, p source.Permissions) {
	fmt.Fprint(w, "\nPermissions that the bridge's user needs, for the configuration of your nats-server\n")
	if settings.Auth.SignsIn() {
		fmt.Fprint(w, "  (Add what tokens allow beyond that: only their signer knows it.)\n")
	}
	if p.API != "" {
		fmt.Fprintf(w, "  (Servers of that JetStream domain itself check $JS.API instead of %s.)\n", p.API)
	}
	fmt.Fprint(w, "  permissions = {\n")
	writeAllowed(w, "publish", p.Publish)
	writeAllowed(w, "subscribe", p.Subscribe)
	if p.Responses != "" {
		fmt.Fprintf(w, "    # %s\n    allow_responses = true\n", p.Responses)
	}
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

// quoted writes a string in nats-server's syntax. Subjects may contain quotes and backslashes, but no unprintable characters.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
