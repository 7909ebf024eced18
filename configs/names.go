package configs

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// Origins are origins as a browser's Origin header spells them: https://chat.example.com, in lower case, without the
// scheme's own port.
type Origins []string

// Decode reads Origins, separated by commas.
func (o *Origins) Decode(value string) error { return decodeList((*[]string)(o), value, parseOrigin) }

// Hosts are host names or addresses without port, in lower case; an IPv6 address has no brackets.
type Hosts []string

// Decode reads Hosts, separated by commas.
func (h *Hosts) Decode(value string) error { return decodeList((*[]string)(h), value, parseHost) }

// hostName matches names that both DNS and browsers accept, and the underscore that some intranets use.
var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// parseOrigin follows RFC 6454, section 6.2: scheme, host, and a port that is not the scheme's own.
func parseOrigin(entry string) (string, error) {
	if strings.Contains(entry, "*") {
		return "", fmt.Errorf("%q holds a wildcard; name each origin, like https://chat.example.com", entry)
	}
	origin, err := url.Parse(entry)
	if err != nil || origin.Host == "" || origin.Scheme != "http" && origin.Scheme != "https" {
		return "", fmt.Errorf("%q is not an origin; write http or https, :// and a host, like https://chat.example.com", entry)
	}
	if !strings.EqualFold(entry, origin.Scheme+"://"+origin.Host) {
		return "", fmt.Errorf("%q is more than an origin; write nothing after host and port, not even a slash, and no user", entry)
	}
	host, err := parseHost(origin.Hostname())
	if err != nil {
		return "", err
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	port := origin.Port()
	switch {
	case strings.HasSuffix(origin.Host, ":"):
		return "", fmt.Errorf("%q ends in a colon; write a port or leave the colon out", entry)
	case port == "", port == "443" && origin.Scheme == "https", port == "80" && origin.Scheme == "http":
		return origin.Scheme + "://" + host, nil
	}
	return origin.Scheme + "://" + host + ":" + port, nil
}

func parseHost(entry string) (string, error) {
	name := strings.ToLower(entry)
	bare := strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if ip, err := netip.ParseAddr(bare); err == nil && ip.Zone() == "" {
		return ip.String(), nil
	}
	switch {
	case strings.Contains(name, "://"), strings.Contains(name, ":"), strings.Contains(name, "/"):
		return "", fmt.Errorf("%q is more than a host name; write it without scheme, port and path, like chat.example.com", entry)
	case strings.Contains(name, "*"):
		return "", fmt.Errorf("%q holds a wildcard; name each host, like chat.example.com", entry)
	case !hostName.MatchString(name):
		return "", fmt.Errorf("%q is not a host name as browsers send it; write other scripts in punycode (xn--…)", entry)
	}
	return name, nil
}

// decodeList reads entries separated by commas, with or without blanks around them. It reports all invalid entries.
func decodeList[T any](list *[]T, value string, parse func(string) (T, error)) error {
	var read []T
	var found []error
	for _, entry := range strings.Split(value, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			found = append(found, errors.New("an entry of the list is empty; remove the extra comma"))
			continue
		}
		parsed, err := parse(entry)
		if err != nil {
			found = append(found, err)
		}
		read = append(read, parsed)
	}
	if len(found) > 0 {
		return errors.Join(found...)
	}
	*list = read
	return nil
}
