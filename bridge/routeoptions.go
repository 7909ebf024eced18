package bridge

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// options are what may follow the subject of a route that asks, each after a blank: `ASK /agents/{name}=agents.prompt.{name} silence=5m queries`.
type options struct {
	silence time.Duration
	queries bool
}

// maxSilence is the longest silence that a route may allow.
const maxSilence = 24 * time.Hour

// parseOptions parses the options of a route that asks.
func parseOptions(text string) (o options, err error) {
	for _, option := range strings.Fields(text) {
		name, value, hasValue := strings.Cut(option, "=")
		switch {
		case name == "silence":
			o.silence, err = time.ParseDuration(value)
			if err != nil || o.silence <= 0 || o.silence > maxSilence {
				return options{}, fmt.Errorf("%q: write a duration up to %v, as in silence=10s", option, maxSilence)
			}
		case option == "queries" && !hasValue:
			o.queries = true
		default:
			return options{}, fmt.Errorf("%q is no option of a route that asks; there are silence=<duration> and queries", option)
		}
	}
	return o, nil
}

// Silence returns how long a question on the route may stay without an answer, or without the next one; 0 if the route does not say.
func (r Route) Silence() time.Duration { return r.options.silence }

// Queries reports whether the program that answers on the route may put questions of its own to the asker.
func (r Route) Queries() bool { return r.options.queries }

// AgentsRoot includes the subjects of NATS's agent protocol.
const AgentsRoot Subject = "agents.>"

// discoveries are the only subjects of NATS itself on which a route may ask. To each, every agent of NATS's agent protocol answers who it is.
var discoveries = []Subject{"$SRV.INFO.agents", "$SRV.PING.agents"}

// Discovers reports whether a question on the route asks which agents there are.
func (r Route) Discovers() bool { return r.asks && slices.Contains(discoveries, r.Filter()) }

// Pattern returns the route's path with its placeholders, such as /chat/{room}; "" for the zero value.
func (r Route) Pattern() string {
	rule := strings.TrimPrefix(strings.TrimPrefix(r.text, "POST "), "ASK ")
	pattern, _, _ := strings.Cut(rule, "=")
	return pattern
}
