package configs

import (
	"fmt"
	"net"
	"strings"
)

// Exposure is one reason why others than this machine may reach what this process serves.
type Exposure struct {
	Setting string // which is the reason, without the prefix
	Reason  string // what it says, such as "0.0.0.0:8080 is not loopback"
	Instead string // what to do about it
}

// String returns the reason with the setting that it comes from.
func (e Exposure) String() string { return fmt.Sprintf("%s (%s_%s)", e.Reason, Prefix, e.Setting) }

// Inspect says what the embedded server's listeners add to the settings: which of them others than this machine reach, and as
// an error, joined with errors.Join, what is wrong with them. Only who can read a nats-server configuration file can tell.
type Inspect func(*Settings) ([]Exposure, error)

// Exposed returns why the bridge is exposed: why others than this machine may reach it. None means that only this machine can,
// and then the defaults are those of a first look.
func (s *Settings) Exposed() []Exposure { return s.exposed }

// exposures decides whether the bridge is exposed. Nothing else does: whatever depends on it asks Exposed.
//
// The admin listener counts, although no subject is behind it. Who watches a process from another machine runs it for others;
// in a pod, a proxy beside it may pass everybody on to a loopback listener while only the probes come from outside.
func (s *Settings) exposures(server []Exposure) []Exposure {
	var found []Exposure
	for _, l := range []listener{{"HTTP_LISTEN", s.HTTP.Listen}, {"ADMIN_LISTEN", s.Admin.Listen}} {
		if l.address != "" && !Loopback(string(l.address)) {
			found = append(found, Exposure{l.name, string(l.address) + " is not loopback", "listen on 127.0.0.1"})
		}
	}
	for _, host := range s.HTTP.Hosts {
		if !isLoopbackName(host) {
			found = append(found, Exposure{"HTTP_HOSTS", host + " is no name of this machine alone", "remove it where no proxy is in front"})
			break
		}
	}
	if len(s.HTTP.TrustedProxies) > 0 {
		found = append(found, Exposure{"HTTP_TRUSTED_PROXIES", "a proxy lets others in", "remove it where no proxy is in front"})
	}
	return append(found, server...)
}

// isLoopbackName reports whether a browser finds this machine, and no other, under a name.
func isLoopbackName(host string) bool {
	return Loopback(net.JoinHostPort(host, "0")) || strings.HasSuffix(host, ".localhost")
}

// checkExposure refuses starts that would open to others what was meant for a first look on one machine.
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
		p.refuse(why.Setting, "%s, so that anyone who reaches the bridge could use the subjects that are open by default; "+
			"set %s (to nothing, or to the same if that is meant), or %s", why.Reason, strings.Join(defaults, " and "), why.Instead)
	}
}
