package catalog

import "time"

// run keeps the table: while a link is up, it reads what is to be read.
func (t *Table) run() {
	interval := time.NewTicker(tableInterval)
	defer interval.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	lapse := time.NewTimer(tableInterval)
	defer lapse.Stop()
	quiet := 0
	for changed := t.api.Changed(); ; {
		select {
		case <-interval.C:
			if quiet++; quiet >= tableRefused || !t.isRefused() {
				quiet = 0
				t.Look()
			}
			continue
		case <-lapse.C:
			lapse.Reset(t.expire())
			continue
		case <-t.lapse:
			lapse.Reset(t.expire())
			continue
		case <-changed:
			changed = t.api.Changed()
		case <-t.wake:
		case <-retry.C:
		case <-t.alive.Done():
			return
		}
		if link := t.api.Link(); link.IsUp() {
			if wait := t.round(link); wait > 0 {
				retry.Reset(wait)
			}
		}
	}
}

func (t *Table) isRefused() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now != nil && t.now.absence.remedy != ""
}

// timed wakes run for something with a time limit.
func (t *Table) timed() {
	select {
	case t.lapse <- struct{}{}:
	default:
	}
}

// expire ends what has reached its time limit, and returns the time until the next.
func (t *Table) expire() time.Duration {
	now := time.Now()
	t.mu.Lock()
	gone, next, isOver := t.giveUp(now)
	due, isLifted := t.retryDue(now)
	ended := isOver || isLifted
	if ended {
		t.news.Send()
	}
	t.mu.Unlock()
	for _, stream := range gone {
		t.tellGone(stream)
	}
	if ended {
		t.changed()
	}
	return min(next, due)
}
