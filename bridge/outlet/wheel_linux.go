package outlet

import "time"

// wheel holds timers that are looked at when they are due, up to a tick later: one wheel for all sockets of a loop, where
// to set a timer costs next to nothing. What is due further off than the wheel reaches comes sooner, and is put back.
type wheel struct {
	tick  time.Duration
	at    int64 // the tick up to which everything was looked at
	slots [wheelSlots]timer
}

const wheelSlots = 256

// timer is a place in a wheel. The zero value is in none.
type timer struct {
	prev, next *timer
	socket     *socket
}

// newWheel gives an empty wheel. Times on it are counted from when it was made.
func newWheel(tick time.Duration) *wheel {
	w := &wheel{tick: tick}
	for i := range w.slots {
		slot := &w.slots[i]
		slot.prev, slot.next = slot, slot
	}
	return w
}

// set lets a timer be looked at at that time.
func (w *wheel) set(t *timer, due time.Duration) {
	w.stop(t)
	ticks := int64(due/w.tick) + 1
	ticks = min(max(ticks, w.at+1), w.at+wheelSlots-1)
	slot := &w.slots[ticks%wheelSlots]
	t.prev, t.next = slot.prev, slot
	slot.prev.next, slot.prev = t, t
}

// stop takes a timer from its wheel.
func (w *wheel) stop(t *timer) {
	if t.next == nil {
		return
	}
	t.prev.next, t.next.prev = t.next, t.prev
	t.prev, t.next = nil, nil
}

// turn calls look for each timer that is due by now; look may set it again.
func (w *wheel) turn(now time.Duration, look func(*socket)) {
	for last := int64(now / w.tick); w.at < last; {
		w.at++
		for slot := &w.slots[w.at%wheelSlots]; slot.next != slot; {
			t := slot.next
			w.stop(t)
			look(t.socket)
		}
	}
}
