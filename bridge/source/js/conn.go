package js

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// Conn is a connection to NATS that lasts. nats.go dials again after each loss; each dial makes a Link, which replaces the one
// before. If the server ends the connection of nats.go for good, another takes its place: see redial.go.
type Conn struct {
	dialed  atomic.Pointer[dialed] // nil before Dial
	dial    Dialer
	name    string
	link    atomic.Pointer[Link] // of the latest dial
	changed Signal               // a link is up, or was lost
	tries   Signal               // unanswered requests are sent again
	arrived atomic.Int64         // bytes, on all connections
	events  Events
	servers string // the dialed servers, if the settings name them; contains no secret
	closed  chan struct{}
	barrier barrier

	closing  context.Context // until Close
	close    context.CancelFunc
	renewed  renewals // belongs to ended, as the next
	renewing sync.WaitGroup
	isAsked  atomic.Bool // Renew was called

	keeping sync.Mutex     // held while what Keep makes is made; taken before mu
	kept    []func() error // guarded by keeping

	mu    sync.Mutex         // guards the rest
	told  *Link              // the link that nats.go's handlers report on now
	ups   <-chan nats.Status // one element for each link that came up since Dial
	taken int                // how many of ups were read
	heard int                // how many links the handlers have reported as up

	failure error // why no other connection could be made
}

// dialed is a connection of nats.go.
type dialed struct {
	*nats.Conn
	answers string // the subjects on which answers arrive
}

// Events are called for events of a connection, from one goroutine, in order. nats.go reports them late: Link returns the present
// state. All but Failed, Missed, Error and Ended may be nil.
type Events struct {
	// Begin is called for each link that has come up, before IsUp returns true.
	Begin  func()
	Up     func(conn *nats.Conn, what string)
	Down   func(error)
	Failed func(error) // a dial has failed; nats.go does not report every failure, such as a refused password
	// Missed is called when an attempt to connect has failed for whatever reason, at the next attempt. nats.go's lock is held: it must not use the
	// connection.
	Missed func(*Conn)
	// Error is called for errors outside of any call. It must call Note for a Violation.
	Error func(*Conn, *nats.Subscription, error)
	// Ended is called when the server has ended the connection by an error after which nats.go does not dial again. Another is made.
	Ended func(error)
}

// Dialer makes the connection to NATS: nats.Connect with a URL, with a context, or with an in-process server. The dialer adds its
// own options before those that it is given.
type Dialer func(...nats.Option) (*nats.Conn, error)

// New returns a Conn that is not dialed yet.
func New(events Events) *Conn {
	c := &Conn{events: events, closed: make(chan struct{})}
	c.closing, c.close = context.WithCancel(context.Background())
	c.link.Store(newLink())
	return c
}

// NATS returns nats.go's connection, which another may replace; nil before Dial.
func (c *Conn) NATS() *nats.Conn {
	if now := c.dialed.Load(); now != nil {
		return now.Conn
	}
	return nil
}

// answers returns the subjects on which answers to requests arrive.
func (c *Conn) answers() string { return c.dialed.Load().answers }

// SubscribeFirst subscribes for the first message alone. Others may be dropped.
func (c *Conn) SubscribeFirst(subject string) (*nats.Subscription, error) {
	return c.NATS().SubscribeSync(subject)
}

// isBeyondFirst reports whether an error says that a message after the first was dropped.
func isBeyondFirst(sub *nats.Subscription, err error) bool {
	return sub != nil && sub.Type() == nats.SyncSubscription && errors.Is(err, nats.ErrSlowConsumer)
}

// Link returns the present link. A dial replaces the link before anything can arrive on the new connection.
func (c *Conn) Link() *Link { return c.link.Load() }

// Changed returns a channel that is closed when a link next comes up or is lost.
func (c *Conn) Changed() <-chan struct{} { return c.changed.Wait() }

// Addresses names the dialed servers; "" if only the dialer knows them.
func (c *Conn) Addresses() string { return c.servers }

// Closed returns a channel that is closed when the connection has ended, and no other is made.
func (c *Conn) Closed() <-chan struct{} { return c.closed }

// Err returns why no other connection could be made, or the last error of the present one.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure != nil {
		return c.failure
	}
	return c.NATS().LastError()
}

// Keep makes subscriptions that last as long as the Conn, by calling subscribe: now, and for each connection of nats.go that replaces
// another.
func (c *Conn) Keep(subscribe func() error) error {
	c.keeping.Lock()
	defer c.keeping.Unlock()
	c.kept = append(c.kept, subscribe)
	return subscribe()
}

// AskAgain sends unanswered requests again: their receiver may be gone.
func (c *Conn) AskAgain() { c.tries.Send() }

// Tries returns a channel that is closed when unanswered requests are to be sent again.
func (c *Conn) Tries() <-chan struct{} { return c.tries.Wait() }

// CanGetBatches reports whether the server answers direct gets of several messages.
func (c *Conn) CanGetBatches() bool { return isAtLeast(c.NATS().ConnectedServerVersion(), 2, 11) }

// isAtLeast reports whether a server's version is the given one or newer.
func isAtLeast(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	second, _, _ := strings.Cut(rest, ".")
	x, errX := strconv.Atoi(first)
	y, errY := strconv.Atoi(second)
	return errX == nil && errY == nil && (x > major || x == major && y >= minor)
}
