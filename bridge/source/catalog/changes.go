package catalog

import (
	"github.com/tailwater/tailwater/bridge"
)

// tell logs changes of streams that feeds read from or messages were stored in. Their readers are told, too. It belongs to run.
func (t *Table) tell(before, after *Streams) {
	if before == nil || after.absence.why != "" {
		return
	}
	for _, stream := range after.streams {
		name := stream.Name()
		t.mu.Lock()
		isUsed, had := t.used[name], before.Get(name)
		if had == nil {
			had = t.missed[name].Stream
		}
		t.mu.Unlock()
		if isUsed && had != nil {
			t.tellOf(had, stream)
		}
	}
}

func (t *Table) tellOf(had, now *Stream) {
	lost := had.beyond(now)
	switch {
	case had.Epoch != now.Epoch:
		t.log.Warn("a stream was deleted and made again; its readers get a reset", "stream", now.Name())
	case len(lost) > 0:
		t.log.Warn("a stream no longer holds some of its subjects; their readers get a gap, and messages on them are not stored",
			"stream", now.Name(), "no longer", lost)
	case had.Untapped() == "" && now.Untapped() != "":
		t.log.Warn("a stream cannot be read any more; its readers get a gap, and have no history", "stream", now.Name(), "reason", now.Untapped())
	}
}

// beyond returns the subjects that the stream's other state does not hold completely.
func (s *Stream) beyond(other *Stream) (subjects []string) {
	for _, subject := range s.Info.Config.Subjects {
		if !other.covers(bridge.Subject(subject)) {
			subjects = append(subjects, subject)
		}
	}
	return subjects
}
