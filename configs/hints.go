package configs

import "fmt"

// findHints finds accepted values that are probably not intended. The start and check print the hints.
func (s *Settings) findHints() {
	hint := func(format string, args ...any) { s.hints = append(s.hints, fmt.Sprintf(format, args...)) }
	if len(s.HTTP.Hosts) == 0 && !s.HTTP.LoopbackHosts {
		hint("any Host header is accepted, so any web page can reach this bridge under its own name (DNS rebinding); set %s_HTTP_HOSTS to the names that browsers use, such as chat.example.com", Prefix)
	}
	if limit := s.Limit.ConnectionsPerIP; limit > 0 && !s.IsSet("LIMIT_CONNECTIONS_PER_IP") && s.behindUnnamedProxy() {
		hint("all clients behind a proxy on this machine count as one address, which may have %d connections; set %s_HTTP_TRUSTED_PROXIES=127.0.0.1, or %[2]s_LIMIT_CONNECTIONS_PER_IP", limit, Prefix)
	}
	if s.Auth.Audience == "" && (len(s.Auth.JWTPublicKey.Keys) > 0 || s.Auth.JwksURL != "") {
		hint("tokens made for other programs are accepted too; set %s_AUTH_AUDIENCE to the aud of the tokens for this bridge", Prefix)
	}
	if s.Auth.Issuer == "" && s.Auth.JwksURL != "" {
		hint("the key set may belong to several issuers; set %s_AUTH_ISSUER to the iss of your tokens", Prefix)
	}
}

// behindUnnamedProxy reports whether other machines can only come through a proxy here that the settings do not name.
func (s *Settings) behindUnnamedProxy() bool {
	return len(s.exposed) > 0 && Loopback(string(s.HTTP.Listen)) && len(s.HTTP.TrustedProxies) == 0
}
