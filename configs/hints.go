package configs

import "fmt"

// findHints looks for what is accepted and probably not meant. Both the start and check say it.
func (s *Settings) findHints() {
	hint := func(format string, args ...any) { s.hints = append(s.hints, fmt.Sprintf(format, args...)) }
	if len(s.HTTP.Hosts) == 0 && !s.HTTP.LoopbackHosts {
		hint("any Host header is taken, so that a page of a stranger can reach this bridge under a name of its own (DNS rebinding); set %s_HTTP_HOSTS to the names that browsers use, such as chat.example.com", Prefix)
	}
	if limit := s.Limit.ConnectionsPerIP; limit > 0 && !s.IsSet("LIMIT_CONNECTIONS_PER_IP") && s.behindUnnamedProxy() {
		hint("all who come through a proxy on this machine count as one address, which may have %d connections; set %s_HTTP_TRUSTED_PROXIES=127.0.0.1, or %[2]s_LIMIT_CONNECTIONS_PER_IP", limit, Prefix)
	}
	if s.Auth.Audience == "" && (len(s.Auth.JWTPublicKey.Keys) > 0 || s.Auth.JwksURL != "") {
		hint("a token that was made for another program is taken as well; set %s_AUTH_AUDIENCE to what its aud says of this bridge", Prefix)
	}
	if s.Auth.Issuer == "" && s.Auth.JwksURL != "" {
		hint("a key set may serve several issuers; set %s_AUTH_ISSUER to the iss that is meant", Prefix)
	}
}

// behindUnnamedProxy reports whether others can only come through a proxy on this machine, which the settings do not name.
func (s *Settings) behindUnnamedProxy() bool {
	return len(s.exposed) > 0 && Loopback(string(s.HTTP.Listen)) && len(s.HTTP.TrustedProxies) == 0
}
