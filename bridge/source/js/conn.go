package js

import (
	"context"
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
	Missed func()
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
	c.barrier.passed = make(chan struct{}, 1)
	return c
}

// Dial connects. If NATS is unreachable, Dial returns no error, and the Conn keeps trying without an end.
func (c *Conn) Dial(dial Dialer, name string) error {
	c.dial, c.name = dial, name
	return c.connect()
}

// Link returns the present link. A dial replaces the link before anything can arrive on the new connection.
func (c *Conn) Link() *Link { return c.link.Load() }

// Changed returns a channel that is closed when a link next comes up or is lost.
func (c *Conn) Changed() <-chan struct{} { return c.changed.Wait() }

// Addresses names the dialed servers; "" if only the dialer knows them.
func (c *Conn) Addresses() string { return c.servers }

// Close closes the connection, if there is one, and waits until nats.go has called all handlers.
func (c *Conn) Close() {
	c.mu.Lock()
	c.close()
	now := c.NATS()
	c.mu.Unlock()
	if now != nil {
		now.Close()
		<-c.closed
		c.renewing.Wait()
	}
}

// Closed returns a channel that is closed when the connection has ended, and no other is made.
func (c *Conn) Closed() <-chan struct{} { return c.closed }

// AskAgain sends unanswered requests again: their receiver may be gone.
func (c *Conn) AskAgain() { c.tries.Send() }

// Tries returns a channel that is closed when unanswered requests are to be sent again.
func (c *Conn) Tries() <-chan struct{} { return c.tries.Wait() }

// redial replaces the link.
func (c *Conn) redial() {
	link := newLink()
	link.isDialed = true
	before := c.link.Swap(link)
	if before.isDialed && !before.up.Load() {
		c.events.Missed()
	}
	before.lose()
}

// up is called by nats.go's handlers some time after a link has come up.
func (c *Conn) up(conn *nats.Conn, what string, begun func()) {
	link := c.tell(conn)
	if c.events.Begin != nil {
		c.events.Begin()
	}
	link.up.Store(true)
	c.tries.Send()
	c.changed.Send()
	begun()
	if c.events.Up != nil {
		c.events.Up(conn, what)
	}
}

// tell finds the link that handlers report on from now on. That is the present link, unless more links came up since the one that
// this report is about: nats.go writes each to ups just before it queues the handlers.
func (c *Conn) tell(conn *nats.Conn) *Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard++
	link, isUp := c.Link(), conn.IsConnected()
	for more := true; more; {
		select {
		case _, isOpen := <-c.ups:
			if more = isOpen; isOpen {
				c.taken++
			}
		default:
			more = false
		}
	}
	c.heard = min(c.heard, c.taken) // for a link that came up before Dial returned
	if !isUp || c.heard < c.taken || link != c.Link() {
		link = newLink() // which is lost already
		link.lose()
	}
	c.told = link
	return link
}

// down is called by nats.go's handlers some time after a link was lost.
func (c *Conn) down(err error) {
	c.mu.Lock()
	if c.told != nil {
		c.told.lose()
	}
	c.mu.Unlock()
	c.changed.Send()
	if c.events.Down != nil {
		c.events.Down(err)
	}
}

// Note records a violation for the link on which NATS has reported it.
func (c *Conn) Note(err error) {
	c.mu.Lock()
	told := c.told
	c.mu.Unlock()
	if told != nil {
		told.note(err)
	}
}

// Noted waits until every violation that nats.go has read is recorded: nats.go calls its error handler some time after. It
// returns false if ctx or the link ends first.
func (c *Conn) Noted(ctx context.Context) bool {
	link := c.Link()
	for {
		change := link.Violations()
		last := c.LastError()
		if last == nil || link.isLast(last) {
			return true
		}
		if _, isViolation := ParseViolation(last); !isViolation {
			return c.PassBarrier(ctx) // nats.go keeps one error, which may have replaced a violation
		}
		select {
		case <-change:
		case <-link.Lost():
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// RoundTrip reports whether the server has answered a ping, and every refusal before the answer is recorded.
func (c *Conn) RoundTrip(ctx context.Context) bool {
	return c.FlushWithContext(ctx) == nil && c.Noted(ctx)
}

// CanGetBatches reports whether the server answers direct gets of several messages.
func (c *Conn) CanGetBatches() bool { return isAtLeast(c.ConnectedServerVersion(), 2, 11) }

// isAtLeast reports whether a server's version is the given one or newer.
func isAtLeast(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	second, _, _ := strings.Cut(rest, ".")
	x, errX := strconv.Atoi(first)
	y, errY := strconv.Atoi(second)
	return errX == nil && errY == nil && (x > major || x == major && y >= minor)
}
