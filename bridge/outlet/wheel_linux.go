package outlet

import "time"

// wheel holds the timers of all sockets of a loop. They fire up to a tick late, and setting one costs next to nothing. Times beyond the reach of
// the wheel are checked earlier, and put back.
type wheel struct {
	tick  time.Duration
	at    int64 // the tick up to which everything was looked at
	slots [wheelSlots]timer
}

const wheelSlots = 256

// timer is an entry of a wheel. The zero value is in no wheel.
type timer struct {
	prev, next *timer
	socket     *socket
}

// newWheel returns an empty wheel. Its times count from now.
func newWheel(tick time.Duration) *wheel {
	w := &wheel{tick: tick}
	for i := range w.slots {
		slot := &w.slots[i]
		slot.prev, slot.next = slot, slot
	}
	return w
}

// set makes advance look at a timer at that time.
func (w *wheel) set(t *timer, due time.Duration) {
	w.stop(t)
	ticks := int64(due/w.tick) + 1
	ticks = min(max(ticks, w.at+1), w.at+wheelSlots-1)
	slot := &w.slots[ticks%wheelSlots]
	t.prev, t.next = slot.prev, slot
	slot.prev.next, slot.prev = t, t
}

// stop removes a timer from its wheel.
func (w *wheel) stop(t *timer) {
	if t.next == nil {
		return
	}
	t.prev.next, t.next.prev = t.next, t.prev
	t.prev, t.next = nil, nil
}

// advance calls look for each timer that is due; look may set it again.
func (w *wheel) advance(now time.Duration, look func(*socket)) {
	for last := int64(now / w.tick); w.at < last; {
		w.at++
		for slot := &w.slots[w.at%wheelSlots]; slot.next != slot; {
			t := slot.next
			w.stop(t)
			look(t.socket)
		}
	}
}
