package configs

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ServerURL is one or more URLs of NATS servers, separated by commas. They may hold a user and password, or a token.
// Printing shows scheme and host of each server, with *** instead of these; Reveal returns them for connecting.
type ServerURL struct{ concealed }

var serverSchemes = []string{"nats", "tls", "ws", "wss"}

// Decode reads a ServerURL. A server without a scheme means nats://, as for every NATS client. Errors count the servers instead of
// printing them.
func (u *ServerURL) Decode(value string) error {
	var servers, shown []string
	var found []error
	sockets := 0
	for i, server := range strings.Split(value, ",") {
		server = strings.TrimSpace(server)
		if server != "" && !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		parsed, err := parseServer(server)
		if err != nil {
			found = append(found, fmt.Errorf("server %d %w", i+1, err))
			continue
		}
		if strings.HasPrefix(parsed.Scheme, "ws") {
			sockets++
		}
		login := ""
		if parsed.User != nil {
			login = "***@"
		}
		servers = append(servers, server)
		shown = append(shown, parsed.Scheme+"://"+login+parsed.Host)
	}
	if len(found) == 0 && sockets > 0 && sockets < len(servers) {
		found = append(found, errors.New("ws and wss servers cannot be mixed with others; name servers of one kind"))
	}
	if len(found) > 0 {
		return errors.Join(found...)
	}
	u.concealed = conceal(strings.Join(servers, ","), strings.Join(shown, ","))
	return nil
}

func parseServer(server string) (*url.URL, error) {
	parsed, err := url.Parse(server)
	switch {
	case server == "":
		return nil, errors.New("is empty; remove the extra comma")
	case err != nil, strings.Contains(server, "@") && parsed.User == nil, strings.Contains(parsed.EscapedPath()+parsed.RawQuery+parsed.Fragment, "@"):
		// Otherwise a password with a / or # would be mistaken for a path, and shown.
		return nil, errors.New("is not a URL; write nats://host:4222, and percent-encode special characters in a user or password")
	case !slices.Contains(serverSchemes, parsed.Scheme):
		return nil, errors.New("has an unknown scheme; use nats://, tls://, ws:// or wss://")
	case parsed.Hostname() == "":
		return nil, errors.New("names no host; write nats://host:4222")
	}
	return parsed, nil
}
