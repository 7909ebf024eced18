package configs

// listener is a listener of one setting.
type listener struct {
	name    string
	address Address
}

func (p *problems) checkListeners(s *Settings) {
	listeners := []listener{{"HTTP_LISTEN", s.HTTP.Listen}, {"ADMIN_LISTEN", s.Admin.Listen}}
	if !s.external() && (s.IsSet("EMBED_LISTEN") || !s.IsSet("EMBED_CONFIG")) {
		listeners = append(listeners, listener{"EMBED_LISTEN", s.Embed.Listen})
	}
	for i, a := range listeners {
		for _, b := range listeners[i+1:] {
			if a.address.clashes(b.address) {
				p.refuse(a.name, "%s is also the address of %s_%s (%s); choose another port for one of them", a.address, Prefix, b.name, b.address)
			}
		}
	}
}
