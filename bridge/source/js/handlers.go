package js

import "github.com/nats-io/nats.go"

// What nats.go reports about a connection. Its handlers are called some time after the event, and one after another.

// redial replaces the link.
func (c *Conn) redial() {
	link := newLink()
	link.isDialed = true
	before := c.link.Swap(link)
	if before.isDialed && !before.up.Load() {
		c.events.Missed(c)
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
