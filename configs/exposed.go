package configs

import (
	"fmt"
	"net"
	"strings"
)

// Exposure is one reason why other machines may reach what this process serves.
type Exposure struct {
	Setting string // the setting that is the reason, without the prefix
	Reason  string // such as "0.0.0.0:8080 is not loopback"
	Instead string // what to do about it
}

// String returns the reason with the setting that it comes from.
func (e Exposure) String() string { return fmt.Sprintf("%s (%s_%s)", e.Reason, Prefix, e.Setting) }

// Inspect returns the listeners of the embedded server that other machines can reach. The error, joined with errors.Join, says
// what is wrong with its listeners. Only a reader of nats-server configuration files can tell both.
type Inspect func(*Settings) ([]Exposure, error)

// Exposed returns why other machines can reach the bridge. If it returns nothing, only this machine can, and the defaults are those
// of a first look.
func (s *Settings) Exposed() []Exposure { return s.exposed }

// exposures decides whether the bridge is exposed. Whatever depends on that asks Exposed.
//
// The admin listener counts, although it serves no subjects. A process that another machine watches is run for others: in a pod, a
// proxy may pass all clients on to a loopback listener while only the probes come from outside.
func (s *Settings) exposures(server []Exposure) []Exposure {
	var found []Exposure
	for _, l := range []listener{{"HTTP_LISTEN", s.HTTP.Listen}, {"ADMIN_LISTEN", s.Admin.Listen}} {
		if l.address != "" && !Loopback(string(l.address)) {
			found = append(found, Exposure{l.name, string(l.address) + " is not loopback", "listen on 127.0.0.1"})
		}
	}
	for _, host := range s.HTTP.Hosts {
		if !isLoopbackName(host) {
			found = append(found, Exposure{"HTTP_HOSTS", host + " is not a name of this machine alone", "remove it if there is no proxy"})
		}
	}
	if len(s.HTTP.TrustedProxies) > 0 {
		found = append(found, Exposure{"HTTP_TRUSTED_PROXIES", "a proxy lets other machines in", "remove it if there is no proxy"})
	}
	return append(found, server...)
}

// isLoopbackName reports whether a name always leads a browser to its own machine.
func isLoopbackName(host string) bool {
	return Loopback(net.JoinHostPort(host, "0")) || strings.HasSuffix(host, ".localhost")
}

// checkExposure refuses to open to others what is meant for a first look on one machine.
func (p *problems) checkExposure(s *Settings) {
	if s.external() || len(s.exposed) == 0 {
		return
	}
	var defaults []string
	for _, name := range []string{"ANONYMOUS_SUBSCRIBE", "ANONYMOUS_PUBLISH"} {
		if !s.IsSet(name) {
			defaults = append(defaults, Prefix+"_"+name)
		}
	}
	if why := s.exposed[0]; len(defaults) > 0 {
		p.refuse(why.Setting, "%s: anyone who reaches the bridge could use the subjects that are open by default; "+
			"set %s (to nothing, or to the same subjects if that is intended), or %s", why.Reason, strings.Join(defaults, " and "), why.Instead)
	}
}
