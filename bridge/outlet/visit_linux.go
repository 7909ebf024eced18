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
	asked  atomic.Bool // since work was called
	left   int         // descriptors to look at
	next   int
	queued bool
}

// visit begins a visit. If the loop has ended, only then is called.
func (l *loop) visit(do func(*socket), then func()) {
	v := &visit{loop: l, do: do, then: then}
	if !v.begin() {
		then()
	}
}

// begin begins the visit, or makes one that has begun go round once more from where it is. It reports false if the loop has ended.
func (v *visit) begin() bool {
	v.asked.Store(true)
	return v.loop.enqueue(v)
}

func (v *visit) queuing() *bool { return &v.queued }

func (v *visit) work() {
	l := v.loop
	if v.asked.Swap(false) {
		v.left = len(l.sockets)
	}
	for looked := 0; v.left > 0 && looked < visitEach; v.left-- {
		v.next = (v.next + 1) % len(l.sockets)
		if s := l.sockets[v.next]; s != nil {
			v.do(s)
			looked++
		}
	}
	if v.left == 0 || !l.enqueue(v) {
		v.then()
	}
}
