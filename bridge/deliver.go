package bridge

// How a reader puts a frame into a batch.

// output is a batch being filled.
type output struct {
	batch [][]byte
	had   int
	left  int   // bytes
	since int64 // see NextSince
}

// put appends a frame of any size, unless it is empty.
func (o *output) put(data []byte) {
	if len(data) == 0 {
		return
	}
	o.left -= len(data)
	o.batch = append(o.batch, data)
}

// fits reports whether another frame fits.
func (o *output) fits(data []byte) bool { return len(data) <= o.left || len(o.batch) == o.had }

// has reports whether the client has a frame of the feed's memory already, or is not sent it, because the replay ends before it.
func (r *Reader) has(fr *frame) bool {
	at := &r.have[fr.part]
	return fr.seq <= at.Seq || r.isBounded() && fr.seq > at.sync
}

// deliver puts a frame of a part, of the feed's memory or of a page, or reports that the batch or the client is full.
func (r *Reader) deliver(part int, fr *frame, out *output) bool {
	isMessage, data := fr.gap == "", fr.data
	if r.isFull() || !out.fits(data) {
		return false
	}
	if isMessage && r.count != nil {
		r.pass(part, fr, out)
	}
	at := &r.have[part]
	switch {
	case len(r.have) == 1:
		at.Seq, at.Time = fr.seq, fr.time
	case fr.vector != nil && r.reaches(fr):
		for i, p := range fr.vector {
			r.have[i].Position = p
		}
	// In another part the client may be ahead of the feed's position at this frame. An id that went back there would bring the client again
	// what it has.
	case isMessage:
		at.Seq, at.Time = fr.seq, fr.time
		data = r.feed.key.framing.withID(data, r.id())
	default:
		after := r.id()
		at.Seq, at.Time = fr.seq, fr.time
		data = r.feed.key.framing.gap(greeting{}, after, r.id(), fr.gap)
	}
	if r.most > 0 && len(data) > r.most && fr.subject != "" {
		data = r.smaller(fr, data)
	}
	out.put(data)
	return true
}

// reaches reports whether a frame's id is behind the client's position in no part.
func (r *Reader) reaches(fr *frame) bool {
	for i, p := range fr.vector {
		if r.have[i].Seq > p.Seq {
			return false
		}
	}
	return true
}

// pass counts a message that is about to be delivered. If it is the first of a run and does not begin the run, the beginning is gone, and a
// gap is put before the message.
func (r *Reader) pass(part int, fr *frame, out *output) {
	c := r.count
	if len(fr.data) > 0 {
		c.given++
	}
	epoch := r.feed.parts[part].At.Epoch
	isFirst := c.run.Messages == 0
	if c.isWhole && isFirst && fr.kind != RunBegins && fr.kind != RunInvites {
		out.put(r.feed.gap(ID{{Epoch: epoch}}, r.id(), GapRetention))
	}
	c.run = RunState{
		Messages: c.run.Messages + 1, At: Position{Epoch: epoch, Seq: fr.seq, Time: fr.time}, Kind: fr.kind,
		Queries: c.run.Queries || isFirst && fr.kind == RunInvites,
	}
}

// smaller returns the replacement of a frame that is larger than the client accepts. The cursor is already after the frame.
func (r *Reader) smaller(fr *frame, data []byte) []byte {
	f, subject := r.feed.key.framing, fr.subject
	if of, isMembers := f.membersOf(subject); isMembers {
		if brief := f.brief(data, r.id()); len(brief) <= r.most {
			return brief
		}
		subject = of
	}
	return f.large(subject, r.id(), len(data))
}
