package check

import (
	"errors"
	"strings"

	"github.com/nats-io/nats.go"

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
	if err := serviceRefused(name, dial); err != nil {
		r.row("", "! NATS does not let the bridge be a service: %v; allow its user what stands below, or set TAILWATER_NATS_SERVICE to nothing", err)
	}
}

// serviceRefused subscribes as the service would, and returns what NATS refuses.
func serviceRefused(name string, dial source.Dialer) error {
	conn, err := dial(nats.Name("tailwater check"), nats.Timeout(timeout), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return nil // which the other connection has said
	}
	defer conn.Close()
	for _, filter := range source.ServiceFilters(name) {
		// A service subscribes to one subject within each filter.
		if _, err := conn.SubscribeSync(strings.NewReplacer("*", "PING", ">", "check").Replace(filter)); err != nil {
			return err
		}
	}
	if err := conn.FlushTimeout(timeout); err != nil {
		return err
	}
	if err := conn.LastError(); errors.Is(err, nats.ErrPermissionViolation) || errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
		return err
	}
	return nil
}
