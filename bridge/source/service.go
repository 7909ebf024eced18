package source

import (
	"fmt"

	"github.com/nats-io/nats.go/micro"

	"github.com/tailwater/tailwater/bridge/source/js"
)

// ServiceSubject returns the subject of a request to the bridges of a service.
func ServiceSubject(service, request string) string { return js.ServiceSubject(service, request) }

// ServiceFilters returns the filters that cover the subscriptions of a service.
func ServiceFilters(service string) []string { return js.ServiceFilters(service) }

// Offer makes the bridge a micro service of NATS. It uses the connection for reads, so that neither live messages nor their
// subscriptions share anything with it, and no third connection is needed. The service ends with the connection. extend adds its endpoints; it
// is called again if another connection takes the place of the first.
func (s *Source) Offer(config micro.Config, extend func(micro.Service) error) error {
	err := s.reads.Keep(func() error {
		service, err := micro.AddService(s.reads.NATS(), config)
		if err != nil {
			return err
		}
		return extend(service)
	})
	if err != nil {
		return fmt.Errorf("offer a service: %w", err)
	}
	return nil
}

// sayNoService logs, once, that the service is not allowed. The bridge does not need it.
func (s *Source) sayNoService(found js.Violation, err error) {
	s.noService.Do(func() {
		s.log.Warn("NATS does not let this bridge be a service in full, for nats micro and its administrators; messages are carried all the same", "subject", found.Subject, "error", err,
			"remedy", "allow its user what tailwater check prints, allow_responses included; or set TAILWATER_NATS_SERVICE to nothing")
	})
}
