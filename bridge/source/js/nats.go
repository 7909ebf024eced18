package js

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
)

// The methods of nats.go's connection that a Conn needs, of the connection that it has now.

// NATS returns nats.go's connection, which another may replace; nil before Dial.
func (c *Conn) NATS() *nats.Conn {
	if now := c.dialed.Load(); now != nil {
		return now.Conn
	}
	return nil
}

// answers returns the subjects on which answers to requests arrive.
func (c *Conn) answers() string { return c.dialed.Load().answers }

// InboxPrefix returns the first token of the subjects on which answers arrive: InboxPrefix, or that of a context.
func (c *Conn) InboxPrefix() string { return c.NATS().Opts.InboxPrefix }

func (c *Conn) Subscribe(subject string, handle nats.MsgHandler) (*nats.Subscription, error) {
	return c.NATS().Subscribe(subject, handle)
}

// SubscribeFirst subscribes for the first message alone. Others may be dropped.
func (c *Conn) SubscribeFirst(subject string) (*nats.Subscription, error) {
	return c.NATS().SubscribeSync(subject)
}

// isBeyondFirst reports whether an error says that a message after the first was dropped.
func isBeyondFirst(sub *nats.Subscription, err error) bool {
	return sub != nil && sub.Type() == nats.SyncSubscription && errors.Is(err, nats.ErrSlowConsumer)
}

func (c *Conn) ChanSubscribe(subject string, to chan *nats.Msg) (*nats.Subscription, error) {
	return c.NATS().ChanSubscribe(subject, to)
}

func (c *Conn) Publish(subject string, data []byte) error { return c.NATS().Publish(subject, data) }

func (c *Conn) PublishMsg(msg *nats.Msg) error { return c.NATS().PublishMsg(msg) }

func (c *Conn) PublishRequest(subject, reply string, data []byte) error {
	return c.NATS().PublishRequest(subject, reply, data)
}

func (c *Conn) RequestWithContext(ctx context.Context, subject string, data []byte) (*nats.Msg, error) {
	return c.NATS().RequestWithContext(ctx, subject, data)
}

func (c *Conn) FlushWithContext(ctx context.Context) error { return c.NATS().FlushWithContext(ctx) }

func (c *Conn) NewInbox() string { return c.NATS().NewInbox() }

func (c *Conn) MaxPayload() int64 { return c.NATS().MaxPayload() }

func (c *Conn) LastError() error { return c.NATS().LastError() }

func (c *Conn) IsConnected() bool { return c.NATS().IsConnected() }

func (c *Conn) IsClosed() bool { return c.NATS().IsClosed() }

func (c *Conn) Servers() []string { return c.NATS().Servers() }

func (c *Conn) ConnectedAddr() string { return c.NATS().ConnectedAddr() }

func (c *Conn) ConnectedServerVersion() string { return c.NATS().ConnectedServerVersion() }

func (c *Conn) ForceReconnect() error { return c.NATS().ForceReconnect() }
