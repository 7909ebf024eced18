package node

import (
	"net"
	"os"
	"strings"

	"github.com/tailwater/tailwater/bridge/live"
)

// offer makes the node a micro service of NATS, unless the setting is empty. A request to drain stops it as SIGTERM would.
func (n *Node) offer() error {
	if n.Settings.NATS.Service == "" {
		return nil
	}
	return n.Live.Offer(live.Service{
		Name:     string(n.Settings.NATS.Service),
		Version:  serviceVersion(),
		Metadata: n.metadata(),
		Drain: func() {
			select {
			case n.asked <- struct{}{}:
			default: // it was asked before
			}
		},
	})
}

// serviceVersion returns the version as a service needs it. A binary that was built without one has one in brackets.
func serviceVersion() string {
	if is := strings.TrimPrefix(Version(), "v"); !strings.HasPrefix(is, "(") {
		return is
	}
	return "0.0.0-devel"
}

// metadata tells bridges apart, and where they are.
func (n *Node) metadata() map[string]string {
	all := map[string]string{"http": n.URL()}
	if name, err := os.Hostname(); err == nil {
		all["host"] = name
		if _, port, err := net.SplitHostPort(n.address.String()); err == nil && n.isEverywhere() {
			all["http"] = Scheme(n.Settings) + "://" + net.JoinHostPort(name, port)
		}
	}
	if made := Commit(); made != "" {
		all["commit"] = made
	}
	return all
}
