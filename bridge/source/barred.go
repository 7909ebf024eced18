package source

import "time"

// barredFor is how long a stream that NATS does not let this bridge read is left alone, unless there is a new connection:
// each attempt is logged, here and there.
const barredFor = tableRefused * tableInterval

// bar takes a stream for one that cannot be read on a connection: its user is not allowed that name. Readers would wait for it for ever; so
// what it holds is passed on as it comes.
func (t *table) bar(name string, connection uint64) {
	t.mu.Lock()
	isKnown := t.barred[name] == connection
	t.barred[name] = connection
	t.mu.Unlock()
	if isKnown {
		return
	}
	t.log.Error("NATS does not let this bridge read a stream; what callers read of it is passed on as it comes, without history",
		"stream", name, "remedy", "run tailwater check again, and allow the bridge's user what it prints")
	time.AfterFunc(barredFor, func() {
		t.mu.Lock()
		isLast := t.barred[name] == connection // else a later connection has barred it anew, and will lift that
		if isLast {
			delete(t.barred, name)
		}
		t.mu.Unlock()
		if isLast && t.alive.Err() == nil {
			t.changed()
		}
	})
	t.changed()
}
