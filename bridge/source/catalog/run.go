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
