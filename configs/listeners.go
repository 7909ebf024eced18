package configs

import "strings"

// checkExposure refuses starts that would open to the network what was meant for a first look on one machine.
func (p *problems) checkExposure(s *Settings) {
	if s.external() {
		return
	}
	var defaults []string
	for _, name := range []string{"ANONYMOUS_SUBSCRIBE", "ANONYMOUS_PUBLISH"} {
		if !s.IsSet(name) {
			defaults = append(defaults, Prefix+"_"+name)
		}
	}
	if s.HTTP.Listen.exposed() && len(defaults) > 0 {
		p.refuse("HTTP_LISTEN", "%s is not loopback, so that anyone who reaches it could use the subjects that are open by default; "+
			"set %s (to nothing, or to the same if that is meant), or listen on 127.0.0.1", s.HTTP.Listen, strings.Join(defaults, " and "))
	}
	if s.Embed.Listen.exposed() && !s.IsSet("EMBED_CONFIG") {
		p.refuse("EMBED_LISTEN", "%s is not loopback, and without authorization anyone who reaches it could read and write everything; "+
			"set %s_EMBED_CONFIG to a nats-server configuration file with authorization, or listen on 127.0.0.1", s.Embed.Listen, Prefix)
	}
}

func (p *problems) checkListeners(s *Settings) {
	type listener struct {
		name    string
		address Address
	}
	listeners := []listener{{"HTTP_LISTEN", s.HTTP.Listen}, {"ADMIN_LISTEN", s.Admin.Listen}}
	if !s.external() && (s.IsSet("EMBED_LISTEN") || !s.IsSet("EMBED_CONFIG")) {
		listeners = append(listeners, listener{"EMBED_LISTEN", s.Embed.Listen})
	}
	for i, a := range listeners {
		for _, b := range listeners[i+1:] {
			if a.address.clashes(b.address) {
				p.refuse(a.name, "%s is taken by %s_%s (%s); choose another port for one of them", a.address, Prefix, b.name, b.address)
			}
		}
	}
}
