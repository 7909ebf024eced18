package js

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// Conn is the way to NATS. nats.go dials again whenever a connection is lost; each dial makes a Link, which replaces the one before.
type Conn struct {
	*nats.Conn
	link    atomic.Pointer[Link] // of the latest dial
	changed Signal               // a link is up, or lost
	tries   Signal               // questions without an answer are asked again
	events  Events
	answers string        // the subjects on which answers to requests come
	servers string        // that are dialed, as far as the settings name them; nothing secret
	begun   chan struct{} // closed when handlers have told of a link for the first time
	begin   func()
	closed  chan struct{}
	marker  marker

	mu    sync.Mutex         // guards the rest
	told  *Link              // of which nats.go's handlers tell at present
	ups   <-chan nats.Status // holds one for each link that came up since Dial
	taken int                // of these, so many were taken
	heard int                // and of so many links that they are up, handlers have told
}

// Events are what nats.go tells of a connection, from one goroutine, in order. It does so late: Link says what holds by now. All but
// Failed and Error may be nil.
type Events struct {
	// Begin is called for each link that has come up, before IsUp reports so.
	Begin  func()
	Up     func(conn *nats.Conn, what string)
	Down   func(error)
	Failed func(error) // to connect
	// Error is called for all that belongs to no call. It must call Note for a violation.
	Error func(*nats.Subscription, error)
}

// Dialer makes the connection to NATS: nats.Connect with a URL, a context or an in-process server of its own. It must
// pass on the options it is given, after its own.
type Dialer func(...nats.Option) (*nats.Conn, error)

// New returns a Conn that is to be dialed.
func New(events Events) *Conn {
	c := &Conn{events: events, begun: make(chan struct{}), closed: make(chan struct{})}
	c.begin = sync.OnceFunc(func() { close(c.begun) })
	c.link.Store(newLink())
	c.marker.passed = make(chan struct{}, 1)
	return c
}

// Dial connects. It returns without an error while NATS is unreachable, and goes on trying for ever.
func (c *Conn) Dial(dial Dialer, name string) error {
	conn, err := dial(c.options(name)...)
	if err != nil {
		return fmt.Errorf("connect to NATS%s: %w", c.where(), err)
	}
	if !c.dials(conn) {
		return fmt.Errorf("connect to NATS: %w", errStrangeConnection)
	}
	if conn.IsConnected() {
		<-c.begun // its handler runs soon; only handlers know the order of what happens to a connection
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Conn, c.ups = conn, conn.StatusChanged(nats.CONNECTED)
	inbox := conn.NewRespInbox()
	c.answers = inbox[:strings.LastIndexByte(inbox, '.')] + ".*"
	return nil
}

// Link returns the present link. It is another one from the very call that dials: before anything can arrive on the connection.
func (c *Conn) Link() *Link { return c.link.Load() }

// Changed returns a channel that is closed when a link is up or lost the next time.
func (c *Conn) Changed() <-chan struct{} { return c.changed.Wait() }

// Addresses names the servers that are dialed; "" if the dialer alone knows.
func (c *Conn) Addresses() string { return c.servers }

// Close closes the connection, if there is one, and waits until nats.go has called all handlers.
func (c *Conn) Close() {
	if c.Conn != nil {
		c.Conn.Close()
		<-c.closed
	}
}

// Closed is closed when nats.go has given up the connection.
func (c *Conn) Closed() <-chan struct{} { return c.closed }

// AskAgain makes questions that wait for an answer be asked again: who was asked may be gone.
func (c *Conn) AskAgain() { c.tries.Send() }

// Tries returns a channel that is closed when questions without an answer are to be asked again.
func (c *Conn) Tries() <-chan struct{} { return c.tries.Wait() }

// redial replaces the link.
func (c *Conn) redial() {
	lost := c.link.Swap(newLink())
	lost.lose()
}

// up is called by nats.go's handlers some time after a link has come up.
func (c *Conn) up(conn *nats.Conn, what string) {
	link := c.tell(conn)
	if c.events.Begin != nil {
		c.events.Begin()
	}
	link.up.Store(true)
	c.tries.Send()
	c.changed.Send()
	c.begin()
	if c.events.Up != nil {
		c.events.Up(conn, what)
	}
}

// tell finds out of which link handlers tell from now on. It is the present one, unless others came up behind the one that this is
// about: nats.go puts each in ups just before it calls for its handlers.
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
	c.heard = min(c.heard, c.taken) // of one that came up before Dial had returned
	if !isUp || c.heard < c.taken || link != c.Link() {
		link = newLink() // which is lost by now
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

// Note records a violation with the link on which NATS has reported it.
func (c *Conn) Note(err error) {
	c.mu.Lock()
	told := c.told
	c.mu.Unlock()
	if told != nil {
		told.note(err)
	}
}

// Noted waits until the violations that nats.go has read were noted: it calls its error handler some time later. It reports false if ctx
// ends first, or the link.
func (c *Conn) Noted(ctx context.Context) bool {
	link := c.Link()
	for {
		change := link.Violations()
		last := c.LastError()
		if last == nil || link.isLast(last) {
			return true
		}
		if !isViolation(last) {
			return c.Marked(ctx) // nats.go keeps one error: it may have come over a violation
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

// RoundTrip reports whether the server has answered a ping, and what it refused before that was noted.
func (c *Conn) RoundTrip(ctx context.Context) bool {
	return c.FlushWithContext(ctx) == nil && c.Noted(ctx)
}

// CanGetBatches reports whether the server answers direct gets of several messages.
func (c *Conn) CanGetBatches() bool { return isAtLeast(c.ConnectedServerVersion(), 2, 11) }

// isAtLeast compares a server's version with the one that brought what is needed.
func isAtLeast(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	second, _, _ := strings.Cut(rest, ".")
	x, errX := strconv.Atoi(first)
	y, errY := strconv.Atoi(second)
	return errX == nil && errY == nil && (x > major || x == major && y >= minor)
}
