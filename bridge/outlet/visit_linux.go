package outlet

import "sync/atomic"

// visitEach is how many connections a loop looks at before others work: at less than a microsecond each, it takes a small part of a
// round of writes.
const visitEach = 256

// visit does something with all connections of a loop, a few at a time, and then something else.
type visit struct {
	loop   *loop
	do     func(*socket)
	then   func()
	next   int         // descriptor
	asked  atomic.Bool // since it began
	queued bool
}

// visit begins a visit. If the loop has ended, only then is called.
func (l *loop) visit(do func(*socket), then func()) {
	v := &visit{loop: l, do: do, then: then}
	if !v.begin() {
		then()
	}
}

// begin begins the visit. If it has begun, it begins again at its end. It reports false if the loop has ended.
func (v *visit) begin() bool {
	v.asked.Store(true)
	return v.loop.enqueue(v)
}

func (v *visit) queuing() *bool { return &v.queued }

func (v *visit) work() {
	l := v.loop
	if v.next == 0 {
		v.asked.Store(false)
	}
	for looked := 0; v.next < len(l.sockets) && looked < visitEach; v.next++ {
		if s := l.sockets[v.next]; s != nil {
			v.do(s)
			looked++
		}
	}
	if v.next < len(l.sockets) && l.enqueue(v) {
		return
	}
	v.next = 0
	v.then()
	if v.asked.Load() {
		l.enqueue(v)
	}
}
