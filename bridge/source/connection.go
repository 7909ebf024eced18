package source

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/source/js"
)

// connect makes the two connections. Streams are read on the second, because a server answers such requests in the loop that
// reads from the connection.
func (s *Source) connect(dial js.Dialer) error {
	if err := s.conn.Dial(dial, "tailwater"); err != nil {
		return err
	}
	if err := s.reads.Dial(dial, "tailwater replay"); err != nil {
		return fmt.Errorf("for replays: %w", err)
	}
	question := s.api.Subject(js.AskNames)
	return cmp.Or(s.conn.OpenBarrier(question), s.reads.OpenBarrier(question))
}

func (s *Source) connected(conn *nats.Conn, what string) {
	s.stats.connects.Add(1)
	s.signal(roundDue)
	address := conn.ConnectedAddr() // not its URL, which may hold a token
	if conn.Opts.InProcessServer != nil {
		address = "in this process"
	}
	values := []any{"server", address, "name", conn.ConnectedServerName()}
	if away := s.absence.end(); away > 0 {
		values = append(values, "away_for", away.Round(time.Millisecond))
	}
	s.log.Info(what, values...)
}

func (s *Source) disconnected(err error) {
	if s.alive.Err() != nil {
		return
	}
	s.errors.note(errorLost)
	s.forgetRefusals()
	s.absence.begin(err)
}

// ended is called when NATS has ended a connection by an error after which nats.go does not dial again.
func (s *Source) ended(err error) {
	remedy := "another connection is made; if this happens again, please report it"
	if js.IsPayload(err) {
		remedy = "another connection is made, which knows the limit; max_payload was lowered while the server ran, which it does not tell its clients"
	}
	s.log.Error("NATS has ended a connection of this bridge", "error", err, "remedy", remedy)
}

// missed counts an attempt to connect that has failed, for whatever reason. While NATS is unreachable, those of the first connection count.
func (s *Source) missed(conn *js.Conn) {
	if conn == s.conn || s.conn.Link().IsUp() {
		s.errors.note(errorConnect)
	}
}

// sayNoReads logs that NATS accepts one connection and not the other.
func (s *Source) sayNoReads() {
	if err := s.reads.NATS().LastError(); err != nil && !s.reads.NATS().IsConnected() {
		s.readsFailed(err)
	}
}

// readsFailed is called when the second connection cannot be made. While NATS is unreachable, the first says so.
func (s *Source) readsFailed(err error) {
	if !s.conn.Link().IsUp() || isLoss(err) {
		return
	}
	s.readsFailures.Do(func() {
		s.log.Warn("NATS refuses the second connection of this bridge; what is stored is read on the first", "error", err,
			"remedy", "allow two connections for each bridge: max_connections of the server or the account")
	})
}

// asyncError handles the errors that nats.go reports outside of any call. It reports dropped messages, too, but only the first
// time; take checks for these itself.
func (s *Source) asyncError(conn *js.Conn, sub *nats.Subscription, err error) {
	found, isViolation := js.ParseViolation(err)
	switch {
	case errors.Is(err, nats.ErrBadHeaderMsg): // the message is delivered; see noteBroken
		return
	case !isViolation:
		s.sayError(sub, err)
		return
	case conn == s.conn && found.Subscribe:
		s.deafen(found.Subject) // before Note: code that waits for Note reads the flow
	}
	conn.Note(err)
	switch {
	case found.IsLimit():
		s.sayLimit()
		s.signal(roundDue)
	case conn == s.reads && found.IsOfService():
		s.sayNoService(found, err)
	default:
		s.sayRefused(found, err)
	}
}

func (s *Source) sayLimit() {
	s.errors.note(errorLimit)
	s.limits.Do(func() {
		s.log.Error("NATS allows no more subscriptions to this bridge; subjects that found no room wait until there is some",
			"remedy", "raise max_subscriptions of the server, or the limit of the account or user; if that is the account's, TAILWATER_NATS_SERVICE set to nothing saves twelve")
	})
}

func (s *Source) sayRefused(found js.Violation, err error) {
	s.errors.note(errorRefused)
	s.errorLog.Do(func() {
		s.log.Error("NATS refuses a subject to this bridge; allow it to its user, or do not open it to callers", "subject", found.Subject, "error", err)
	})
}

func (s *Source) sayError(sub *nats.Subscription, err error) {
	if sub == nil && isLoss(err) {
		return // which is logged as such
	}
	kind := errorOther
	if errors.Is(err, nats.ErrSlowConsumer) {
		kind = errorDropped
	}
	s.errors.note(kind)
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	s.errorLog.Do(func() { s.log.Error("NATS reports an error", "error", err, "subject", subject) })
}

// isLoss reports whether an error is of the network: whoever writes then may notice the loss of the connection before it is reported.
func isLoss(err error) bool {
	var failed net.Error
	return errors.As(err, &failed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe)
}
