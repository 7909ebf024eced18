package outlet

// visitEach is how many connections a loop looks at before others work: at less than a microsecond each, it takes a small part of a
// round of writes.
const visitEach = 256

// visit does something with the connections of a loop, a few at a time, and then something else.
type visit struct {
	loop   *loop
	next   int // descriptor
	do     func(*socket)
	then   func()
	queued bool
}

// visit begins a visit. If the loop has ended, only then is called.
func (l *loop) visit(do func(*socket), then func()) {
	v := &visit{loop: l, do: do, then: then}
	if !l.enqueue(v) {
		then()
	}
}

func (v *visit) queuing() *bool { return &v.queued }

func (v *visit) work() {
	l := v.loop
	for looked := 0; v.next < len(l.sockets) && looked < visitEach; v.next++ {
		if s := l.sockets[v.next]; s != nil {
			v.do(s)
			looked++
		}
	}
	if v.next >= len(l.sockets) || !l.enqueue(v) {
		v.then()
	}
}
