package check

import (
	"strings"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/configs"
)

// service says who can ask the bridge as a micro service, and if dial is not nil, whether NATS lets it be one.
func (r report) service(settings *configs.Settings, context string, dial source.Dialer) {
	name := string(settings.NATS.Service)
	if name == "" {
		r.row("service", "none: nats micro does not list this bridge")
		return
	}
	args := []string{"micro", "info", name}
	if context != "" {
		args = append([]string{"--context", context}, args...)
	}
	r.row("service", "%s", source.Command("", args...))
	if dial == nil {
		return
	}
	var subjects []bridge.Subject
	for _, filter := range source.ServiceFilters(name) {
		// A service subscribes to one subject within each filter.
		subjects = append(subjects, bridge.Subject(strings.NewReplacer("*", "PING", ">", "check").Replace(filter)))
	}
	if refusal, _ := refused(dial, subjects); refusal != nil { // permitted says what keeps NATS from being asked
		r.row("", "! NATS does not let the bridge be a service: %v; allow its user what stands below, or set TAILWATER_NATS_SERVICE to nothing", refusal)
	}
}
