package bridge

import "slices"

// An opening decides, part by part, what the position that a client brought is worth. What it needs to know it may have
// to wait for; it then begins anew, and finds the answers.

// verdict is how a client's position continues in one part.
type verdict struct {
	standing
	gap   string // the reason, where something is missing before what follows
	reset string // the reason, where the position means nothing

	isRenewed bool // of members: the client is given the newest values in place of what it has missed
}

// open gives the events that say where the connection continues: the first one, and another wherever it opens anew on another
// feed and does not continue exactly, else nil. It reports false while something has to be waited for.
func (r *Reader) open() (events [][]byte, known bool) {
	f := r.feed
	after, since, reason := r.resume.After, r.resume.Since, ""
	switch {
	case r.resume.Malformed:
		after, reason = nil, ResetMalformed
	case len(after) == 0 && since.Kind == SinceID:
		after, since = since.ID, Since{}
	}
	// Who leaves a feed brings positions that were good, whatever is there now.
	if reason == "" && len(after) > 0 && r.resume.left == nil && !f.knowsAny(after) && !f.isMembersOnly() {
		reason = f.strange(after)
		after = nil
	}
	if since.Kind == SinceID && !f.knowsAny(since.ID) {
		since = Since{}
	}
	verdicts := make([]verdict, len(f.parts))
	allKnown := true
	for i := range f.parts {
		v, known := r.judge(i, after, since)
		verdicts[i] = v
		allKnown = allKnown && known // if not, go on: the questions about other parts can be asked meanwhile
	}
	if !allKnown {
		return nil, false
	}
	return r.begin(after, verdicts, reason), true
}

// begin places the cursor and gives the events that say so: a reset for that reason, if there is one; then who is there, as far as no
// stream says it.
func (r *Reader) begin(after ID, verdicts []verdict, reset string) (events [][]byte) {
	f := r.feed
	r.have = make([]standing, len(verdicts))
	gap := ""
	if slices.ContainsFunc(after, f.mayMiss) {
		gap = GapDisconnected // a part that the feed does not have may have brought more
	}
	for i, v := range verdicts {
		r.have[i] = v.standing
		r.have[i].sync = f.parts[i].end().Seq
		if f.parts[i].Deaf && !f.parts[i].isMembers {
			gap = max(gap, GapDisconnected)
		}
		gap = max(gap, v.gap) // of several reasons retention: disconnected says least
		if reset == "" {
			reset = v.reset
		}
	}
	r.opened, r.next = true, f.first
	if len(r.have) == 1 {
		r.next = f.after(r.have[0].Seq)
	}
	r.syncing, r.syncAt = r.resume.Sync || r.resume.Since.Kind != SinceNew, f.end()
	hello, isFirst := r.resume.greeting, r.resume.left == nil
	r.resume = nil
	switch {
	case reset != "":
		events = append(events, f.resets(hello, r.id(), reset))
	case gap != "":
		events = append(events, f.gap(hello, r.before(after), r.id(), gap))
	case isFirst:
		events = append(events, f.key.framing.open(hello, f.subjects, r.id()))
	}
	return append(append(events, r.nobody(verdicts)...), r.ownMembers()...)
}

// before gives what the client has seen: where it brought nothing, nothing of what parts had before they began whose logs are not read.
func (r *Reader) before(after ID) ID {
	if len(after) > 0 {
		return after
	}
	id := r.id()
	for i := range id {
		if p := &r.feed.parts[i]; p.Unreadable || p.Deaf {
			id[i] = Position{Epoch: id[i].Epoch}
		}
	}
	return id
}

func (f *Feed) resets(hello greeting, at ID, reason string) []byte {
	f.hub.counters.reset(reason)
	return f.key.framing.reset(hello, at, reason)
}

// knowsAny tells whether an id says anything about one of the feed's parts.
func (f *Feed) knowsAny(id ID) bool {
	return slices.ContainsFunc(id, func(p Position) bool { return f.of(p) >= 0 })
}

// strange gives the reason why an id says nothing here: it is from an earlier life of a stream, or from anywhere.
func (f *Feed) strange(id ID) string {
	for i := range f.parts {
		if f.parts[i].wasOther(id) {
			return ResetRecreated
		}
	}
	return ResetUnknown
}

// wasOther tells whether an id holds a position in another life of the part's stream.
func (p *part) wasOther(id ID) bool {
	return slices.ContainsFunc(id, func(at Position) bool { return sameLog(at.Epoch, p.At.Epoch) })
}

// judge gives how one part continues: after what the client brought, or where there is nothing of it, as the URL says. It
// reports false where an answer is missing, as do all that it calls; the waker is woken when it is there.
func (r *Reader) judge(part int, after ID, since Since) (verdict, bool) {
	p := &r.feed.parts[part]
	if p.isMembers {
		return r.judgeMembers(part, after)
	}
	if at, has := after.in(p.At.Epoch); has {
		return r.judgeKnown(part, at, since)
	}
	if r.resume.left != nil && p.wasOther(after) {
		// It was connected when the stream was made anew, so it is owed all that the stream has.
		return verdict{standing: standing{Position: Position{Epoch: p.At.Epoch}}, reset: ResetRecreated}, true
	}
	begin, known := r.beginAt(part, since)
	v := verdict{standing: begin}
	switch {
	case p.Unreadable && since.isStored():
		v.gap = GapDisconnected
	case len(after) == 0:
	case p.wasOther(after):
		v.reset = ResetRecreated
	default:
		v.gap = GapDisconnected
	}
	return v, known
}

// judgeKnown is judge for a position in the part's own epoch.
func (r *Reader) judgeKnown(part int, at Position, since Since) (verdict, bool) {
	p := &r.feed.parts[part]
	if p.Log == nil {
		v := r.judgeUnstored(part, at)
		if v.gap != "" && r.resume.left != nil {
			v.gap = GapDisconnected // between two feeds
		}
		return v, true
	}
	had, left := r.resume.leftAt(at.Epoch)
	grown := left != nil && slices.ContainsFunc(p.Subjects, func(s Subject) bool { return !slices.Contains(left.Subjects, s) })
	if grown {
		at, had = left.last, standing{} // what the log has of the subject below came from elsewhere, if at all
	}
	v, known := r.judgeStored(part, at, had)
	if !known {
		return v, false
	}
	if v.reset != "" {
		begin, known := r.beginAt(part, since)
		return verdict{standing: begin, reset: v.reset}, known
	}
	if grown && v.gap == "" {
		v.gap = GapDisconnected
	}
	return v, true
}

// leftAt gives what a reader has that has left a feed, and the part of that feed; nothing and nil where there is none.
func (r *resume) leftAt(epoch string) (standing, *part) {
	for i := range r.have {
		if r.have[i].Epoch == epoch {
			return r.have[i], &r.left.parts[i]
		}
	}
	return standing{}, nil
}

// judgeUnstored looks at what the feed holds: there is nothing else.
func (r *Reader) judgeUnstored(part int, at Position) verdict {
	p := &r.feed.parts[part]
	switch {
	case at.Seq < p.floor.Seq:
		return verdict{standing: standing{Position: p.floor}, gap: GapRetention}
	case at.Seq > p.last.Seq:
		at = p.last
	case at.Time == 0:
		at.Time, _ = r.remember(part, at.Seq, nil)
	}
	return verdict{standing: standing{Position: at}}
}

// judgeStored finds out whether the position is one of this life of the stream, and whether all that follows it is there. What
// a client had on a feed that it has left is not told twice.
func (r *Reader) judgeStored(part int, at Position, had standing) (verdict, bool) {
	f := r.feed
	p := &f.parts[part]
	var read *page
	if at.Seq < p.floor.Seq {
		// From the position itself on: the message there, if the page has it, proves its time.
		if read = f.hub.replays.page(p.replay, p.Log, max(at.Seq, 1), p.floor.Seq, true, r.asker()); read == nil {
			return verdict{}, false
		}
	}
	if at.Seq > 0 {
		time, known := r.remember(part, at.Seq, read)
		if !known && (at.Time != 0 || at.Seq > p.end().Seq) {
			answer := f.hub.replays.stored(p.Log, at.Seq, r.asker())
			if answer == nil {
				return verdict{}, false
			}
			if time = answer.at.Time; time == 0 && at.Seq > max(answer.last, p.end().Seq) {
				return verdict{reset: ResetRolled}, true // never stored in this copy
			}
		}
		if at.Time != 0 && time != 0 && at.Time != time {
			return verdict{reset: ResetRolled}, true // stored again, with another message
		}
		at.Time = max(at.Time, time)
	}
	if read != nil && at.Seq < read.lostBelow && max(had.told, had.newest) < read.lostBelow {
		return verdict{standing: standing{Position: read.before(at.Seq), told: read.lostBelow}, gap: GapRetention}, true
	}
	return verdict{standing: standing{Position: at, told: had.told, newest: had.newest}}, true
}

// remember gives the time of the message with that sequence, if it is known here.
func (r *Reader) remember(part int, seq uint64, read *page) (time int64, known bool) {
	f := r.feed
	p := &f.parts[part]
	if end := p.end(); seq == end.Seq && end.Time != 0 {
		return end.Time, true
	}
	if seq == p.floor.Seq && p.floor.Time != 0 {
		return p.floor.Time, true
	}
	if read != nil {
		if i := read.after(seq) - 1; i >= 0 && read.frames[i].seq == seq {
			return read.frames[i].time, true
		}
	}
	if fr := f.find(part, seq); fr != nil && (fr.gap == "" || p.Log == nil) {
		return fr.time, true
	}
	return 0, false
}

// beginAt gives where a client that brought nothing begins in a part, as its URL says.
func (r *Reader) beginAt(part int, since Since) (standing, bool) {
	f := r.feed
	p := &f.parts[part]
	if p.Log != nil {
		switch since.Kind {
		case SinceAll:
			return r.beginAtPage(part, 1)
		case SinceTime:
			answer := f.hub.replays.since(p.Log, since.Time, r.asker())
			if answer == nil {
				return standing{}, false
			}
			return r.beginAtPage(part, answer.since)
		case SinceLast:
			page := f.hub.replays.newestPage(p.replay, p.Log, 1, 0, r.asker())
			if page == nil {
				return standing{}, false
			}
			if len(page.frames) == 0 && page.through >= page.upTo {
				return standing{Position: Position{Epoch: p.At.Epoch, Seq: page.upTo}}, true
			}
			return standing{Position: page.before(0), newest: page.upTo}, true
		}
	}
	if at, has := since.ID.in(p.At.Epoch); has {
		if p.Log == nil {
			return r.judgeUnstored(part, at).standing, true
		}
		v, known := r.judgeStored(part, at, standing{})
		if !known || v.reset == "" {
			return v.standing, known
		}
	}
	return standing{Position: r.arrival(p)}, true
}

// arrival gives where a part stood when the reader came, or began after it.
func (r *Reader) arrival(p *part) Position {
	for _, at := range r.have {
		if at.Epoch == p.At.Epoch {
			return at.Position
		}
	}
	return p.At
}

// beginAtPage gives the position just before the first message from a sequence on.
func (r *Reader) beginAtPage(part int, from uint64) (standing, bool) {
	p := &r.feed.parts[part]
	if from > p.floor.Seq {
		return standing{Position: Position{Epoch: p.At.Epoch, Seq: min(from-1, p.end().Seq)}}, true
	}
	page := r.feed.hub.replays.page(p.replay, p.Log, from, p.floor.Seq, true, r.asker())
	if page == nil {
		return standing{}, false
	}
	return standing{Position: page.before(from - 1), told: page.lostBelow}, true // what was lost before is not owed
}
