package embed

// The addresses on which the server listens, and whether clients must sign in there. A configuration file can open eight kinds
// of listeners. All follow the same rule: a loopback address, or a sign-in.

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// Listener is an address on which the server accepts connections.
type Listener struct {
	Setting string // the setting that opens it: EMBED_LISTEN or EMBED_CONFIG
	Kind    string // such as client or websocket
	Address string // host:port; port 0 for any free port
	Remedy  string // how to make every client sign in; "" if every client must already
}

// IsLoopback reports whether only this machine can reach the listener.
func (l Listener) IsLoopback() bool {
	host, _, _ := net.SplitHostPort(l.Address)
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

func (c Config) listeners(o *server.Options) []Listener {
	var all []Listener
	add := func(kind, host string, port int, remedy string) {
		if port != 0 {
			all = append(all, Listener{"EMBED_CONFIG", kind, address(host, port), remedy})
		}
	}
	if !o.DontListen {
		add("client", o.Host, cmp.Or(o.Port, server.DEFAULT_PORT), askClients(o))
		if c.File == nil || c.Listen.IsSet {
			all[0].Setting = "EMBED_LISTEN"
		}
		if c.File == nil && all[0].Remedy != "" {
			all[0].Remedy = "set TAILWATER_EMBED_CONFIG to a nats-server configuration file with an authorization block"
		}
	}
	add("websocket", o.Websocket.Host, o.Websocket.Port, askWebsockets(o))
	add("mqtt", o.MQTT.Host, o.MQTT.Port, askMQTT(o))
	add("leafnodes", o.LeafNode.Host, o.LeafNode.Port, askLeafNodes(o))
	add("cluster", o.Cluster.Host, o.Cluster.Port, askPeers(o.Cluster.Username, o.Cluster.Password, o.Cluster.TLSConfig))
	add("gateway", o.Gateway.Host, o.Gateway.Port, askPeers(o.Gateway.Username, o.Gateway.Password, o.Gateway.TLSConfig))
	monitoring := cmp.Or(o.HTTPHost, o.Host)
	add("http monitoring", monitoring, o.HTTPPort, neverAsks)
	add("https monitoring", monitoring, o.HTTPSPort, neverAsks)
	add("profiling", o.Host, o.ProfPort, neverAsks)
	return all
}

// neverAsks is the remedy for listeners that have no sign-in.
const neverAsks = "nobody can sign in there, so take it out of the file"

// address returns host:port as the server understands both: an empty host means every interface, and port -1 any free port.
func address(host string, port int) string {
	return net.JoinHostPort(cmp.Or(host, server.DEFAULT_HOST), strconv.Itoa(max(port, 0)))
}

// refuseOpenDoors refuses listeners that other machines could use without a sign-in.
func refuseOpenDoors(listeners []Listener) error {
	var open []error
	for _, l := range listeners {
		if l.Remedy != "" && !l.IsLoopback() {
			open = append(open, fmt.Errorf("TAILWATER_%s: the %s listener on %s would let in anyone who reaches it; %s, or make it listen on 127.0.0.1",
				l.Setting, l.Kind, l.Address, l.Remedy))
		}
	}
	return errors.Join(open...)
}
