package source

import (
	"github.com/tailwater/tailwater/bridge"
)

// tell logs what has become of streams that something was read from or stored in: their readers are told, too. It belongs
// to run.
func (t *table) tell(before, after *streams) {
	if before == nil || after.absence.why != "" {
		return
	}
	for _, stream := range after.streams {
		name := stream.name()
		t.mu.Lock()
		isUsed, had := t.used[name], before.get(name)
		if had == nil {
			had = t.missed[name].stream
		}
		t.mu.Unlock()
		if isUsed && had != nil {
			t.tellOf(had, stream)
		}
	}
}

func (t *table) tellOf(had, now *stream) {
	lost := had.beyond(now)
	switch {
	case had.epoch != now.epoch:
		t.log.Warn("a stream was deleted and made anew; its readers get a reset", "stream", now.name())
	case len(lost) > 0:
		t.log.Warn("a stream does not hold all subjects any more that it did; readers of the others get a gap, and what is published there is not stored",
			"stream", now.name(), "no longer", lost)
	case had.untapped() == "" && now.untapped() != "":
		t.log.Warn("a stream cannot be read from any more; its readers get a gap, and have no history", "stream", now.name(), "reason", now.untapped())
	}
}

// beyond returns the subjects that another state of the stream does not take whole.
func (s *stream) beyond(other *stream) (subjects []string) {
	for _, subject := range s.info.Config.Subjects {
		if !other.covers(bridge.Subject(subject)) {
			subjects = append(subjects, subject)
		}
	}
	return subjects
}

// tellGone logs that a stream is gone for good.
func (t *table) tellGone(gone *stream) {
	t.log.Warn("a stream was deleted; its readers get a gap and have no history, and what is published on its subjects is not stored",
		"stream", gone.name(), "subjects", gone.info.Config.Subjects)
}
