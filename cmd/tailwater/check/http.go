package check

import (
	"crypto/x509"
	"strings"
	"time"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// browsers prints where and how browsers are served.
func (r report) browsers(settings *configs.Settings) {
	r.row("browsers", "listening on %s, %s", settings.HTTP.Listen, node.Scheme(settings))
	if files := settings.HTTP.TLS; !files.IsZero() {
		r.certificate(files)
	}
	r.connections(settings)
	if rate := settings.Limit.ReadRate; rate.Count > 0 {
		r.row("", "one address may send %v GETs", rate)
	}
	if rate := settings.Limit.PublishRate; rate.Count > 0 {
		r.row("", "one caller may post at %v", rate)
	}
	if most := settings.Limit.Runs; most > 0 && asks(settings) {
		r.row("", "one caller may have %d questions open", most)
	}
	for _, network := range settings.HTTP.TrustedProxies {
		r.row("", "X-Forwarded-For is trusted from %v", network)
	}
	r.exposed(settings)
}

// exposed prints whether the bridge is for this machine alone, which decides the defaults.
func (r report) exposed(settings *configs.Settings) {
	reasons := settings.Exposed()
	if len(reasons) == 0 {
		r.row("exposed", "no: only this machine reaches the bridge")
		return
	}
	r.row("exposed", "yes: %v", reasons[0])
	for _, why := range reasons[1:] {
		r.row("", "and: %v", why)
	}
}

func (r report) certificate(files configs.Certificate) {
	shown, err := files.Load()
	if err != nil { // it has changed since the settings were read
		r.row("", "! the certificate cannot be read: %v", err)
		return
	}
	names := namesOf(shown.Leaf)
	if len(names) == 0 {
		r.row("", "! the certificate names no host: browsers refuse it; get one with a subject alternative name")
	}
	until := shown.Leaf.NotAfter
	if time.Now().After(until) {
		r.row("", "! the certificate has expired on %s: browsers refuse it; replace the file, the bridge reads it again by itself", until.Format(time.DateOnly))
	}
	r.row("", "certificate for %s, valid until %s", strings.Join(names, " "), until.Format(time.DateOnly))
}

// namesOf returns the names and addresses of a certificate.
func namesOf(leaf *x509.Certificate) []string {
	var names []string
	names = append(names, leaf.DNSNames...)
	for _, address := range leaf.IPAddresses {
		names = append(names, address.String())
	}
	return names
}

// connections prints how many connections there may be.
func (r report) connections(settings *configs.Settings) {
	limit, allowed := settings.Limit, node.Descriptors()
	most := node.HeldConnections(limit.Connections, allowed)
	switch {
	case most == limit.Connections:
		r.row("", "up to %d connections at once", most)
	case node.IsUnexpected(limit.Connections, most, settings.IsSet("LIMIT_CONNECTIONS")):
		r.row("", "! up to %d connections at once, not TAILWATER_LIMIT_CONNECTIONS: this process may have only %d file descriptors (ulimit -n)", most, allowed)
	default:
		r.row("", "up to %d connections at once, because this process may have %d file descriptors (ulimit -n)", most, allowed)
	}
	if limit.ConnectionsPerIP > 0 {
		r.row("", "one address may have %d of them", limit.ConnectionsPerIP)
	}
}
