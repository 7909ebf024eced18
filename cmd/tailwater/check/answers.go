package check

import (
	"slices"
	"strings"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/configs"
)

// asks reports whether a route sends questions.
func asks(settings *configs.Settings) bool {
	return slices.ContainsFunc(settings.Routes, bridge.Route.Asks)
}

// answers returns the filter of all answers; none if no subjects are kept for answers.
func answers(settings *configs.Settings) []bridge.Subject {
	if settings.Answers == "" {
		return nil
	}
	return []bridge.Subject{bridge.Subject(settings.Answers + ".>")}
}

// asked returns the filter of all answers, if this bridge asks. Otherwise, whoever asks decides whether they are stored.
func asked(settings *configs.Settings) []bridge.Subject {
	if !asks(settings) {
		return nil
	}
	return answers(settings)
}

// answers says who may use the subjects of answers.
func (r report) answers(settings *configs.Settings) {
	for _, filter := range answers(settings) {
		r.row("only askers read", "%s, at /answers/ (TAILWATER_ANSWERS)", filter)
		if !asks(settings) && !settings.Embedded() {
			r.row("", "no route asks here; where NATS lets the bridge read %s, callers read what they asked on other bridges", filter)
		}
	}
}

// agents returns the subjects of NATS itself to which the bridge publishes for routes to agents: where it lists them, and where they wait for
// answers to their queries.
func agents(settings *configs.Settings) (all []bridge.Subject) {
	for _, route := range settings.Routes {
		if route.Discovers() {
			all = append(all, route.Filter())
		}
	}
	if slices.ContainsFunc(settings.Routes, bridge.Route.Queries) {
		all = append(all, "_INBOX.>")
	}
	return all
}

// adviseAnswers adds a finding to the holding of the answers, if no stream holds them.
func adviseAnswers(settings *configs.Settings, holdings []source.Holding) {
	for _, filter := range asked(settings) {
		i := slices.IndexFunc(holdings, func(h source.Holding) bool { return h.Filter == filter })
		if i < 0 || holdings[i].Stream != "" || isKept(filter, settings) {
			continue
		}
		kept := []string{string(filter)}
		for _, subject := range settings.History {
			kept = append(kept, string(subject))
		}
		slices.Sort(kept)
		holdings[i].Findings = append(holdings[i].Findings, source.Finding{
			Problem: "answers to questions are not kept: they can be read only on the bridge that has asked, and are lost when it stops",
			Remedy:  "set TAILWATER_HISTORY=" + strings.Join(kept, ",") + ", or make a stream with the subjects " + string(filter),
		})
	}
}

// mayAsk says who may send questions on a route.
func mayAsk(settings *configs.Settings, route bridge.Route) string {
	covers := func(filter bridge.Subject) bool { return filter.Covers(route.Filter()) }
	switch {
	case route.Discovers():
		return "who may publish to an agent, below agents, may list all agents of the account"
	case route.NeedsClaims():
		return "each caller may ask on the subject that its token names"
	case slices.ContainsFunc(settings.Anonymous.Publish, covers):
		return "anyone may ask"
	}
	return "nobody may ask on all its subjects: see TAILWATER_ANONYMOUS_PUBLISH"
}

func isKept(filter bridge.Subject, settings *configs.Settings) bool {
	return slices.ContainsFunc(settings.History, func(kept bridge.Subject) bool { return kept.Covers(filter) })
}
