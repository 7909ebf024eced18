package source

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"net"
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

func (s *Source) options() []nats.Option {
	return []nats.Option{
		nats.Name("tailwater"),
		ownInbox,
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // credentials may be mended on the server; give up never
		nats.CustomReconnectDelay(reconnectDelay),
		nats.SkipHostLookup(),     // net.Dialer tries all addresses of a name, within one time limit
		nats.ReconnectBufSize(-1), // a POST is told at once that NATS is away, rather than kept in memory and perhaps lost
		nats.ConnectHandler(func(conn *nats.Conn) { s.connected("connected to NATS", conn) }),
		nats.ReconnectHandler(func(conn *nats.Conn) { s.connected("reconnected to NATS", conn) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { s.disconnected(err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			s.failures.Do(func() { s.log.Warn("cannot connect to NATS yet", "error", err) })
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) { s.asyncError(sub, err) }),
		nats.ClosedHandler(func(*nats.Conn) { close(s.closed) }),
		countDials(s.dials),
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

// reconnectDelay grows by half, with jitter; round counts how often every known server was tried.
func reconnectDelay(round int) time.Duration {
	wait := firstReconnectWait
	for ; round > 1 && wait < lastReconnectWait; round-- {
		wait += wait / 2
	}
	wait = min(wait, lastReconnectWait)
	return wait/2 + rand.N(wait/2)
}

func (s *Source) connected(what string, conn *nats.Conn) {
	s.up.Store(true)
	s.stats.connects.Add(1)
	address := conn.ConnectedAddr() // not its URL, which may hold a token
	if conn.Opts.InProcessServer != nil {
		address = "in this process"
	}
	s.log.Info(what, "server", address, "name", conn.ConnectedServerName())
	s.retries.tell()
	s.becomeSure()
}

func (s *Source) disconnected(err error) {
	s.up.Store(false)
	s.lost.Store(time.Now().UnixNano())
	if s.alive.Err() != nil {
		return
	}
	s.log.Warn("lost NATS; browsers stay connected, and where nothing is stored they get a gap when it is back", "error", err)
}

// asyncError takes what nats.go reports outside of any call. That messages were dropped is among it, but only the first
// time: take looks for itself.
func (s *Source) asyncError(sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		subject := s.refused.note(err, s.dials.Load())
		s.errors.Do(func() {
			s.log.Error("NATS refuses a subject to this bridge; allow it to its user, or do not open it to callers", "subject", subject, "error", err)
		})
		return
	}
	if errors.Is(err, nats.ErrBadHeaderMsg) {
		return // the message is delivered; see noteBroken
	}
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
