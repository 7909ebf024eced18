package js

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// The first and the longest wait before a reconnect. The first is short, because a restarted server is usually back at once. The
// longest prevents a thousand bridges from overloading a cluster that is down.
const (
	firstReconnectWait = 100 * time.Millisecond
	lastReconnectWait  = 5 * time.Second
)

// A connection is given up if no ping was answered for pingInterval times (unansweredPings + 1).
const (
	pingInterval    = 10 * time.Second
	unansweredPings = 2
)

// writeTimeout is how long the server may take nothing of a write, until the connection is given up: as long as nats-server waits for its clients.
// Meanwhile nats.go lets nobody use the connection, not even to close it.
const writeTimeout = 10 * time.Second

// options returns the options of one connection of nats.go, whose handlers wait until ready is closed. begun is called when they have reported
// a link for the first time.
func (c *Conn) options(ready <-chan struct{}, begun func()) []nats.Option {
	up := func(conn *nats.Conn, what string) {
		<-ready
		c.up(conn, what, begun)
	}
	return []nats.Option{
		nats.Name(c.name),
		ownInbox,
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // never give up: credentials may be repaired on the server
		nats.CustomReconnectDelay(reconnectDelay),
		nats.SkipHostLookup(),     // net.Dialer tries all addresses of a name, within one time limit
		nats.ReconnectBufSize(-1), // while NATS is unreachable a POST fails at once, instead of waiting in memory where it may be lost
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(unansweredPings),
		nats.FlusherTimeout(writeTimeout),
		nats.SyncQueueLen(64), // for SubscribeFirst: the default is half a MB for each
		nats.ConnectHandler(func(conn *nats.Conn) { up(conn, "connected to NATS") }),
		nats.ReconnectHandler(func(conn *nats.Conn) { up(conn, "reconnected to NATS") }),
		nats.DisconnectErrHandler(func(conn *nats.Conn, err error) { c.down(cmp.Or(err, conn.LastError())) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.events.Failed(err) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			if !c.barrier.take(sub, err) && !isBeyondFirst(sub, err) {
				c.events.Error(c, sub, err)
			}
		}),
		c.rememberServers,
		c.makeLinks,
	}
}

// InboxPrefix is the first token of the subjects on which answers arrive. It is the bridge's own, because a user that may
// subscribe to _INBOX.> can read the answers to every user of its account.
const InboxPrefix = "_INBOX_tailwater"

// ownInbox sets InboxPrefix, unless a context of the nats command has set another.
func ownInbox(o *nats.Options) error {
	o.InboxPrefix = cmp.Or(o.InboxPrefix, InboxPrefix)
	return nil
}

// rememberServers keeps the addresses of the dialed servers, for errors and the log.
func (c *Conn) rememberServers(o *nats.Options) error {
	if o.InProcessServer != nil {
		c.servers = "in this process"
		return nil
	}
	var all []string
	for _, server := range append(slices.Clone(o.Servers), o.Url) {
		for one := range strings.SplitSeq(server, ",") {
			if one = withoutUser(one); one != "" && !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
	}
	c.servers = strings.Join(all, ",")
	return nil
}

// withoutUser returns a server's URL without the part before the host, which may be a password or a token.
func withoutUser(server string) string {
	server = strings.TrimSpace(server)
	if !strings.Contains(server, "://") {
		server = server[strings.LastIndexByte(server, '@')+1:]
	}
	parsed, err := url.Parse(server)
	if err != nil || parsed.Host == "" {
		return server[strings.LastIndexByte(server, '@')+1:]
	}
	return parsed.Scheme + "://" + parsed.Host
}

// where names the servers in an error.
func (c *Conn) where() string {
	if c.servers == "" {
		return ""
	}
	return " at " + c.servers
}

// reconnectDelay grows by half with each round, with jitter; round counts how often all known servers were tried.
func reconnectDelay(round int) time.Duration {
	wait := firstReconnectWait
	for ; round > 1 && wait < lastReconnectWait; round-- {
		wait += wait / 2
	}
	wait = min(wait, lastReconnectWait)
	return wait/2 + rand.N(wait/2)
}

// errStrangeConnection means that the connection would not report its losses and errors to this package.
var errStrangeConnection = errors.New("the dialer returned a connection that was not made with the options it was given; " +
	"an existing *nats.Conn cannot be used: connect in the dialer, and pass its options on, last")

// makeLinks is an option that makes a Link in the call that dials. nats.go's handlers run some time later, when messages of the
// new connection may already have been delivered without the gap that must come first.
func (c *Conn) makeLinks(o *nats.Options) error {
	if o.InProcessServer != nil {
		o.InProcessServer = linkingServer{o.InProcessServer, c}
		return nil
	}
	dialer := o.CustomDialer
	if dialer == nil {
		dialer = &net.Dialer{Timeout: o.Timeout}
	}
	o.CustomDialer = linkingDialer{dialer, c}
	return nil
}

// dials reports whether a connection was made with makeLinks.
func (c *Conn) dials(conn *nats.Conn) bool {
	if conn == nil {
		return false
	}
	server, inProcess := conn.Opts.InProcessServer.(linkingServer)
	dialer, remote := conn.Opts.CustomDialer.(linkingDialer)
	return inProcess && server.of == c || remote && dialer.of == c
}

type linkingServer struct {
	nats.InProcessConnProvider
	of *Conn
}

func (s linkingServer) InProcessConn() (net.Conn, error) {
	s.of.redial()
	socket, err := s.InProcessConnProvider.InProcessConn()
	return s.of.counting(socket), err
}

type linkingDialer struct {
	nats.CustomDialer
	of *Conn
}

func (d linkingDialer) Dial(network, address string) (net.Conn, error) {
	socket, err := d.CustomDialer.Dial(network, address)
	d.of.redial()
	return d.of.counting(socket), err
}

// counting returns a socket, if there is one, that counts what arrives. nats.go counts only messages that have arrived as a whole.
func (c *Conn) counting(socket net.Conn) net.Conn {
	if socket == nil {
		return nil
	}
	return counted{socket, &c.arrived}
}

type counted struct {
	net.Conn
	bytes *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}
