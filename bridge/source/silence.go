package source

import (
	"time"

	"github.com/tailwater/tailwater/bridge/source/js"
)

const (
	// firstMove is how long a move has to help before the next; it doubles, up to lastMove. A stream that has lost its servers
	// answers nowhere, and each move is a gap to readers of unstored subjects.
	firstMove = 10 * time.Second
	lastMove  = time.Hour
	// calm is how long everything must answer before firstMove applies again.
	calm      = time.Minute
	watchTick = time.Second
	// probeInterval is how often JetStream is asked for a sign of life while streams are read. Consumers are none: the heartbeats
	// continue if the consumer's server is cut off from its cluster.
	probeInterval = 5 * time.Second
	probeSubject  = "tailwater.probe" // it need not exist
)

// watch leaves a server that does not answer on a connection that is up, and logs that NATS is unreachable.
func (s *Source) watch() {
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	reads := time.NewTicker(awayInterval)
	defer reads.Stop()
	probe := time.NewTicker(probeInterval)
	defer probe.Stop()
	var m moves
	for {
		select {
		case <-reads.C:
			s.sayNoReads()
		case <-probe.C:
			if s.conn.Link().IsUp() && s.Stats().Taps > 0 {
				_, _ = s.table.List(s.alive, probeSubject) // the table notes the error
			}
		case <-tick.C:
			s.absence.remind(s.conn.NATS().LastError())
			link := s.conn.Link()
			silent := link.Longest()
			if silent.For >= js.TooSilent && link.IsUp() && m.isDue() && (len(s.conn.NATS().Servers()) > 1 || s.standsStill(s.conn)) {
				m.made()
				s.move(silent)
			}
			if link := s.reads.Link(); link.IsUp() && link.Longest().For > 0 && s.standsStill(s.reads) {
				s.readsFailures.Do(func() {
					s.log.Warn("the connection on which streams are read does not answer; another one is tried, and until then they are read on the first")
				})
				_ = s.reads.NATS().ForceReconnect() // an error means that the source is closed
			}
		case <-s.alive.Done():
			return
		}
	}
}

// moves determines when the next move may happen.
type moves struct {
	last time.Time
	wait time.Duration
}

func (m *moves) isDue() bool { return time.Since(m.last) >= m.wait }

func (m *moves) made() {
	if time.Since(m.last) > m.wait+calm {
		m.wait = 0
	}
	m.last, m.wait = time.Now(), min(max(2*m.wait, firstMove), lastMove)
}

// standsStill reports whether nothing arrives on a connection, not even an answer.
func (s *Source) standsStill(conn *js.Conn) bool {
	_, isAlive := conn.Answers(s.alive)
	return !isAlive && s.alive.Err() == nil
}

// move connects to the next server.
func (s *Source) move(silent js.Silence) {
	s.log.Warn("NATS is connected, but "+silent.String()+" does not answer; another connection is tried",
		"silent for", silent.For.Round(time.Second).String(), "server", s.conn.NATS().ConnectedAddr())
	// An error means that the source is closed.
	_ = s.conn.NATS().ForceReconnect()
	_ = s.reads.NATS().ForceReconnect()
}
