package node

import (
	"fmt"
	"net"
	"strings"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/configs"
)

const exampleSubject bridge.Subject = "chat.room1"

// Banner describes what runs, with commands that can be pasted into another terminal.
func (n *Node) Banner() string {
	var b strings.Builder
	line := func(label, text string) { fmt.Fprintf(&b, "  %-9s%s\n", label, text) }
	fmt.Fprintf(&b, "\nTailwater %s\n\n", Version())
	curl := n.curl()
	allowed := n.Settings.Anonymous
	grant := bridge.Grant{Subscribe: allowed.Subscribe, Publish: allowed.Publish}
	if n.Settings.HTTP.Pages && n.access().AllowsHost(n.host()) {
		if len(allowed.Subscribe) > 0 { // the page offers what can be opened
			line("Page", n.URL()+"/")
		}
		if grant.CheckSubscribe(ClockSubject) == nil {
			line("Clock", n.URL()+"/clock")
		}
	}
	if url := n.NATSURL(); url != "" {
		line("NATS", url)
	}
	if n.Embedded != nil && n.Embedded.PublisherContext() != "" {
		line("Context", n.Embedded.PublisherContext())
		line("Revoke", source.Command("", "--context", n.Embedded.AdminContext(), "kv", "put", auth.RevokedBucket, "sub.alice", ""))
	}
	if subject, has := example(allowed.Subscribe, grant.CheckSubscribe); has {
		line("Watch", curl+" -N "+n.URL()+"/events/"+string(subject))
		if command := n.natsCommand(); command != "" {
			line("Publish", command+" pub "+string(subject)+" hello")
		}
	}
	if subject, has := example(allowed.Publish, grant.CheckPublish); has {
		line("Publish", curl+" -d hello "+n.URL()+"/events/"+string(subject))
	}
	if len(allowed.Subscribe) == 0 {
		line("Note", "nobody may read yet; name subjects in TAILWATER_ANONYMOUS_SUBSCRIBE")
	}
	return b.String() + "\nCtrl-C stops it.\n\n"
}

// example returns a subject within the filters: the usual one if it is allowed, otherwise one made from the first filter. It returns no
// subject that a shell or a URL would have to quote.
func example(filters configs.Subjects, check func(bridge.Subject) error) (bridge.Subject, bool) {
	if check(exampleSubject) == nil {
		return exampleSubject, true
	}
	for _, filter := range filters {
		subject := bridge.Subject(strings.NewReplacer("*", "a", ">", "a").Replace(string(filter)))
		if isPlain(subject) && check(subject) == nil {
			return subject, true
		}
	}
	return "", false
}

func isPlain(subject bridge.Subject) bool {
	return !strings.ContainsFunc(string(subject), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

// curl returns the command that reaches the listener. If the listener's address is not an accepted name, the command uses one that is.
// Certificates are hardly ever made out to the listener's address.
func (n *Node) curl() string {
	curl := "curl"
	if !n.Settings.HTTP.TLS.IsZero() {
		curl += " -k"
	}
	if !n.access().AllowsHost(n.host()) {
		curl += " -H 'Host: " + n.Settings.HTTP.Hosts[0] + "'"
	}
	return curl
}

// URL returns the bridge's URL for browsers.
func (n *Node) URL() string { return Scheme(n.Settings) + "://" + n.host() }

// Scheme returns the URL scheme of the listener for browsers.
func Scheme(settings *configs.Settings) string {
	if settings.HTTP.TLS.IsZero() {
		return "http"
	}
	return "https"
}

// Address returns the address of the listener for browsers.
func (n *Node) Address() net.Addr { return n.address }

// Admin returns the address of the listener for probes and metrics; nil if there is none.
func (n *Node) Admin() net.Addr { return n.admin.address }

// AdminURL returns that listener's URL, or "".
func (n *Node) AdminURL() string {
	if n.admin.address == nil {
		return ""
	}
	return "http://" + n.admin.address.String()
}

// host returns the listener's name and port: those of this machine if it listens on every interface.
func (n *Node) host() string {
	host, port, err := net.SplitHostPort(n.address.String())
	if err != nil {
		return n.address.String()
	}
	if n.isEverywhere() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// isEverywhere reports whether the listener is on every interface.
func (n *Node) isEverywhere() bool {
	host, _, err := net.SplitHostPort(n.address.String())
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsUnspecified()
}

// NATSURL returns the URL for NATS clients, without passwords, or "" if only this process can connect.
func (n *Node) NATSURL() string {
	switch {
	case n.Embedded != nil:
		return n.Embedded.URL()
	case n.Settings.NATS.Context != "":
		return "context " + n.Settings.NATS.Context
	}
	return n.Settings.NATS.URL.String()
}

// natsCommand returns the nats command for the same servers, or "" if they need more than an address.
func (n *Node) natsCommand() string {
	settings := n.Settings.NATS
	switch {
	case settings.Context != "":
		return "nats --context " + settings.Context
	case n.Embedded != nil && n.Embedded.PublisherContext() != "":
		return source.Command("", "--context", n.Embedded.PublisherContext())
	case n.NATSURL() == "", n.Settings.Embed.Config != "", settings.URL.Reveal() != settings.URL.String(), settings.Creds+settings.Nkey+settings.TLS.CA+settings.TLS.Cert != "":
		return ""
	}
	return "nats -s " + n.NATSURL()
}

// hintCommand returns the nats command that the pages name, or "" if none reaches the server. Other machines learn no address and no
// file of this one.
func (n *Node) hintCommand() string {
	const usual = "nats" // which connects to nats://127.0.0.1:4222
	switch {
	case n.Embedded == nil:
		return usual
	case n.NATSURL() == "":
		return ""
	case len(n.Settings.Exposed()) > 0, n.Embedded.PublisherContext() == "" && n.NATSURL() == "nats://127.0.0.1:4222":
		return usual
	}
	return n.natsCommand()
}
