package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// Reconnects wait this long at first and at most. The first is short: a server that was restarted is usually back at
// once. The last keeps a thousand bridges from hammering a cluster that is down.
const (
	firstReconnectWait = 100 * time.Millisecond
	lastReconnectWait  = 5 * time.Second
)

// A connection that answers no ping is given up after pingInterval times one more than unansweredPings.
const (
	pingInterval    = 10 * time.Second
	unansweredPings = 2
)

func (s *Source) options() []nats.Option {
	return append(commonOptions("tailwater"),
		nats.ConnectHandler(func(conn *nats.Conn) { s.connected("connected to NATS", conn) }),
		nats.ReconnectHandler(func(conn *nats.Conn) { s.connected("reconnected to NATS", conn) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { s.disconnected(err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { s.failed(err) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) { s.asyncError(sub, err) }),
		nats.ClosedHandler(func(*nats.Conn) { close(s.closed) }),
		s.rememberServers,
		countDials(s.dials),
	)
}

// readsOptions are those of the connection on which streams are read.
func (s *Source) readsOptions() []nats.Option {
	return append(commonOptions("tailwater replay"),
		nats.ConnectHandler(func(*nats.Conn) { s.readsConnected() }),
		nats.ReconnectHandler(func(*nats.Conn) { s.readsConnected() }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) { s.readsError(sub, err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			if s.up.Load() { // else it is what the first has said
				s.readsFailed(err)
			}
		}),
		nats.ClosedHandler(func(*nats.Conn) { close(s.readsClosed) }),
		countDials(s.readsDials),
	)
}

func commonOptions(name string) []nats.Option {
	return []nats.Option{
		nats.Name(name),
		ownInbox,
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // credentials may be mended on the server; give up never
		nats.CustomReconnectDelay(reconnectDelay),
		nats.SkipHostLookup(),     // net.Dialer tries all addresses of a name, within one time limit
		nats.ReconnectBufSize(-1), // a POST is told at once that NATS is away, rather than kept in memory and perhaps lost
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(unansweredPings),
	}
}

// inboxPrefix begins the subjects on which answers come. It is the bridge's own, because a user that may subscribe to
// _INBOX.> reads the answers to everyone else of its account.
const inboxPrefix = "_INBOX_tailwater"

// ownInbox sets it, unless a context of the nats command has set another.
func ownInbox(o *nats.Options) error {
	o.InboxPrefix = cmp.Or(o.InboxPrefix, inboxPrefix)
	return nil
}

// rememberServers notes which servers are dialed, for errors and the log.
func (s *Source) rememberServers(o *nats.Options) error {
	if o.InProcessServer != nil {
		s.servers = "in this process"
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
	s.servers = strings.Join(all, ",")
	return nil
}

// withoutUser returns a server's URL without what stands before the host: that may be a password, or a token.
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

// reconnectDelay grows by half, with jitter; round counts how often every known server was tried.
func reconnectDelay(round int) time.Duration {
	wait := firstReconnectWait
	for ; round > 1 && wait < lastReconnectWait; round-- {
		wait += wait / 2
	}
	wait = min(wait, lastReconnectWait)
	return wait/2 + rand.N(wait/2)
}

// errStrangeConnection refuses a connection whose losses and errors this package would not hear of.
var errStrangeConnection = errors.New("the dialer returned a connection that was not made with the options it was given; " +
	"an existing *nats.Conn cannot be used: connect in the dialer, and pass its options on, last")

// connect dials for the first time.
func (s *Source) connect(dial Dialer) error {
	conn, err := dial(s.options()...)
	if err != nil {
		return fmt.Errorf("connect to NATS%s: %w", s.where(), err)
	}
	if !countsDials(conn, s.dials) {
		return fmt.Errorf("connect to NATS: %w", errStrangeConnection)
	}
	s.conn = conn
	if conn.IsConnected() {
		<-s.reached // its handler runs soon; only handlers know the order of what happens to a connection
	}
	return nil
}

// openReads makes the connection on which streams are read.
func (s *Source) openReads(dial Dialer) error {
	conn, err := dial(s.readsOptions()...)
	if err != nil {
		return fmt.Errorf("connect to NATS%s for replays: %w", s.where(), err)
	}
	if !countsDials(conn, s.readsDials) {
		return fmt.Errorf("connect to NATS for replays: %w", errStrangeConnection)
	}
	s.reads = conn
	return nil
}

// where names the servers in an error.
func (s *Source) where() string {
	if s.servers == "" {
		return ""
	}
	return " at " + s.servers
}

func (s *Source) connected(what string, conn *nats.Conn) {
	s.refused.renew(s.dials.Load())
	s.silence.forget()
	s.hearAgain()
	s.up.Store(true)
	if s.stats.connects.Add(1) == 1 {
		close(s.reached)
	}
	address := conn.ConnectedAddr() // not its URL, which may hold a token
	if conn.Opts.InProcessServer != nil {
		address = "in this process"
	}
	s.log.Info(what, "server", address, "name", conn.ConnectedServerName())
	s.retries.tell()
	s.becomeSure()
}

func (s *Source) readsConnected() {
	s.readsRefused.renew(s.readsDials.Load())
}

func (s *Source) disconnected(err error) {
	s.up.Store(false)
	s.lost.Store(time.Now().UnixNano())
	if s.alive.Err() != nil {
		return
	}
	s.log.Warn("lost NATS; browsers stay connected, and where nothing is stored they get a gap when it is back", "servers", s.servers, "error", err)
}

func (s *Source) failed(err error) {
	s.failures.Do(func() { s.log.Warn("cannot connect to NATS yet", "servers", s.servers, "error", err) })
}

// sayAway tells once in a while that NATS is away, and why: nats.go reports no error of a connection that fails after the
// dial, such as an unknown certificate.
func (s *Source) sayAway(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	if s.up.Load() {
		s.sayNoReads()
		return
	}
	if err := s.conn.LastError(); err != nil {
		s.failed(err)
	}
}

// sayNoReads tells that NATS takes one connection and not the other.
func (s *Source) sayNoReads() {
	if err := s.reads.LastError(); err != nil && !s.reads.IsConnected() {
		s.readsFailed(err)
	}
}

func (s *Source) readsFailed(err error) {
	s.readsFailures.Do(func() {
		s.log.Warn("NATS refuses the second connection of this bridge; what is stored is read on the first", "error", err,
			"remedy", "allow two connections for each bridge: max_connections of the server or the account")
	})
}

// asyncError takes what nats.go reports outside of any call. That messages were dropped is among it, but only the first
// time: take looks for itself.
func (s *Source) asyncError(sub *nats.Subscription, err error) {
	switch {
	case errors.Is(err, nats.ErrPermissionViolation):
		found := parseViolation(err)
		if found.subscribe {
			s.deafen(found.subject) // before it is noted: who waits for that looks at the flow
		}
		s.refused.note(err)
		if !found.subscribe && strings.HasPrefix(found.subject, flowControlBegin) {
			s.stalled.Store(true)
			s.becomeSure()
		}
		s.sayRefused(found, err)
	case errors.Is(err, nats.ErrMaxSubscriptionsExceeded):
		s.refused.note(err)
		s.limits.Do(func() {
			s.log.Error("NATS allows no more subscriptions to this bridge; subjects that found no room wait until there is some",
				"remedy", "raise max_subscriptions of the server, or the limit of the account or user")
		})
		s.becomeSure()
	case errors.Is(err, nats.ErrBadHeaderMsg): // the message is delivered; see noteBroken
	case s.marker.take(sub, err):
	default:
		s.sayError(sub, err)
	}
}

// readsError is asyncError for the connection on which streams are read.
func (s *Source) readsError(sub *nats.Subscription, err error) {
	switch {
	case errors.Is(err, nats.ErrBadHeaderMsg):
		return
	case !errors.Is(err, nats.ErrPermissionViolation):
		s.sayError(sub, err)
		return
	}
	found := s.readsRefused.note(err)
	s.reclassify() // a stream that gives no pages directly may be read otherwise
	s.sayRefused(found, err)
}

func (s *Source) sayRefused(found refusal, err error) {
	s.errors.Do(func() {
		s.log.Error("NATS refuses a subject to this bridge; allow it to its user, or do not open it to callers", "subject", found.subject, "error", err)
	})
}

func (s *Source) sayError(sub *nats.Subscription, err error) {
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	s.errors.Do(func() { s.log.Error("NATS reports an error", "error", err, "subject", subject) })
}

// countDials counts the connections made, in the very call that makes one: before anything can arrive on it. nats.go's
// own handlers run some time later, when messages of the new connection may have been delivered without the gap that
// must come before them.
func countDials(dials *atomic.Uint64) nats.Option {
	return func(o *nats.Options) error {
		if o.InProcessServer != nil {
			o.InProcessServer = countingServer{o.InProcessServer, dials}
			return nil
		}
		dialer := o.CustomDialer
		if dialer == nil {
			dialer = &net.Dialer{Timeout: o.Timeout}
		}
		o.CustomDialer = countingDialer{dialer, dials}
		return nil
	}
}

// countsDials reports whether a connection was made with countDials.
func countsDials(conn *nats.Conn, dials *atomic.Uint64) bool {
	if conn == nil {
		return false
	}
	server, inProcess := conn.Opts.InProcessServer.(countingServer)
	dialer, remote := conn.Opts.CustomDialer.(countingDialer)
	return inProcess && server.dials == dials || remote && dialer.dials == dials
}

type countingServer struct {
	nats.InProcessConnProvider
	dials *atomic.Uint64
}

func (s countingServer) InProcessConn() (net.Conn, error) {
	s.dials.Add(1)
	return s.InProcessConnProvider.InProcessConn()
}

type countingDialer struct {
	nats.CustomDialer
	dials *atomic.Uint64
}

func (d countingDialer) Dial(network, address string) (net.Conn, error) {
	s, err := d.CustomDialer.Dial(network, address)
	d.dials.Add(1)
	return s, err
}
