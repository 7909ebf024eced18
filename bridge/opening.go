package bridge

import "slices"

// An opening judges, part by part, the position that a client has sent. open may need results from the store. It then reports false, is called
// again when they arrive, and finds them cached.

// verdict says how a client's position continues in one part.
type verdict struct {
	standing
	gap   string // the reason, if messages are missing before what follows
	reset string // the reason, if the position is not valid

	isRenewed bool // for members: the client gets the newest values instead of the missed ones
}

// open returns the events that say where the connection continues: the first events of a connection, and also those after the reader has
// opened anew on another feed, unless it continues exactly: then open returns nil. It reports false while a result is missing.
func (r *Reader) open() (events [][]byte, known bool) {
	f := r.feed
	after, since, reason := r.resume.After, r.resume.Since, ""
	switch {
	case r.resume.Malformed:
		after, reason = nil, ResetMalformed
	case len(after) == 0 && since.Kind == SinceID:
		after, since = since.ID, Since{}
	}
	// Positions of a reader that has left a feed were valid, whatever the new feed is.
	if reason == "" && len(after) > 0 && r.resume.left == nil && !f.knowsAny(after) && !f.isMembersOnly() {
		reason = f.strange(after)
		after = nil
	}
	if since.Kind == SinceID && !f.knowsAny(since.ID) {
		since = Since{}
	}
	if since.Kind == SinceUntil && !f.knowsAny(since.ID) {
		reason = f.strange(since.ID)
	}
	verdicts := make([]verdict, len(f.parts))
	allKnown := true
	for i := range f.parts {
		v, known := r.judge(i, after, since)
		verdicts[i] = v
		allKnown = allKnown && known // if not, go on, to look up the other parts too
	}
	if !allKnown {
		return nil, false
	}
	return r.begin(after, verdicts, reason), true
}

// begin sets the cursor and returns the events for it: a reset for that reason, if there is one; then the members that no stream
// holds.
func (r *Reader) begin(after ID, verdicts []verdict, reset string) (events [][]byte) {
	f := r.feed
	r.have = make([]standing, len(verdicts))
	gap := ""
	if slices.ContainsFunc(after, r.mayMiss) {
		gap = GapDisconnected // a part that the feed does not have may have had more messages
	}
	for i, v := range verdicts {
		r.have[i] = v.standing
		r.have[i].sync = r.replayEnd(i)
		r.have[i].isAhead = r.have[i].sync > f.parts[i].end().Seq
		if f.parts[i].Deaf && !f.parts[i].isMembers {
			gap = max(gap, GapDisconnected)
		}
		gap = max(gap, v.gap) // the reasons sort by how much they say: disconnected, overrun, retention
		if reset == "" {
			reset = v.reset
		}
	}
	r.syncing, r.syncAt = r.resume.Sync || r.resume.Since.Kind != SinceNew, f.end()
	hello, isFirst := r.resume.greeting, r.resume.left == nil
	r.resume = nil
	if isFirst {
		f.hub.counters.resume(len(after) > 0, reset, gap)
	}
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

// before returns the client's position. Parts whose logs are not read, and of which the client has no position, are left out.
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
	f.hub.counters.resets.Add(reason)
	return f.key.framing.reset(hello, at, reason)
}

// knowsAny reports whether an id has a position in one of the feed's parts.
func (f *Feed) knowsAny(id ID) bool {
	return slices.ContainsFunc(id, func(p Position) bool { return f.of(p) >= 0 })
}

// strange returns why an id means nothing here: it is from an earlier life of a stream, or unknown.
func (f *Feed) strange(id ID) string {
	for i := range f.parts {
		if f.parts[i].wasOther(id) {
			return ResetRecreated
		}
	}
	return ResetUnknown
}

// wasOther reports whether an id has a position in another life of the part's stream.
func (p *part) wasOther(id ID) bool {
	return slices.ContainsFunc(id, func(at Position) bool { return sameLog(at.Epoch, p.At.Epoch) })
}

// judge returns how one part continues: after the client's position, or without one, as the URL says. It reports false if a result is missing,
// and so do the functions that it calls; the waker is woken when the result arrives.
func (r *Reader) judge(part int, after ID, since Since) (verdict, bool) {
	p := &r.feed.parts[part]
	if p.isMembers {
		return r.judgeMembers(part, after)
	}
	if at, has := after.in(p.At.Epoch); has {
		return r.judgeKnown(part, at, since)
	}
	if r.resume.left != nil && p.wasOther(after) {
		// The client was connected when the stream was created again, so it is owed the whole stream.
		return verdict{standing: standing{Position: Position{Epoch: p.At.Epoch}}, reset: ResetRecreated}, true
	}
	begin, known := r.beginAt(part, since)
	v := verdict{standing: begin}
	switch {
	case p.Unreadable && since.IsStored():
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
		at, had = left.last, standing{} // below that, the log's messages on the subject came from elsewhere, if there are any
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

// judgeUnstored judges by what the feed holds, because nothing is stored.
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

// judgeStored finds out whether the position belongs to this life of the stream, and whether everything after it is still stored. What was
// announced to a client on a feed that it has left is not announced again.
func (r *Reader) judgeStored(part int, at Position, had standing) (verdict, bool) {
	f := r.feed
	p := &f.parts[part]
	var read *page
	if at.Seq < p.floor.Seq {
		// The page begins at the position itself: the message there, if stored, proves the time.
		if read = f.hub.replays.page(p.replay, max(at.Seq, 1), p.floor.Seq, gatherTime, r.asker()); read == nil {
			return verdict{}, false
		}
	}
	if at.Seq > 0 {
		time, known := r.remember(part, at.Seq, read)
		if !known && (at.Time != 0 || at.Seq > p.end().Seq) {
			result := f.hub.replays.stored(p.Log, at.Seq, r.asker())
			if result == nil {
				return verdict{}, false
			}
			if time = result.at.Time; time == 0 && at.Seq > max(result.last, p.end().Seq) {
				return verdict{reset: ResetRolled}, true // not yet stored in the restored copy
			}
		}
		if at.Time != 0 && time != 0 && at.Time != time {
			return verdict{reset: ResetRolled}, true // the sequence was used again for another message
		}
		at.Time = max(at.Time, time)
	}
	if read != nil && at.Seq < read.lostBelow && max(had.told, had.newest) < read.lostBelow {
		return verdict{standing: standing{Position: read.before(at.Seq), told: read.lostBelow}, gap: GapRetention}, true
	}
	return verdict{standing: standing{Position: at, told: had.told, newest: had.newest}}, true
}

// remember returns the time of the message with that sequence, if it is known here.
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

// beginAt returns where a client without a position begins in a part, as its URL says.
func (r *Reader) beginAt(part int, since Since) (standing, bool) {
	f := r.feed
	p := &f.parts[part]
	if p.Log != nil {
		switch since.Kind {
		case SinceAll:
			return r.beginAtPage(part, 1)
		case SinceTime:
			result := f.hub.replays.since(p.Log, since.Time, r.asker())
			if result == nil {
				return standing{}, false
			}
			return r.beginAtPage(part, result.since)
		case SinceLast:
			page := f.hub.replays.newestPage(p.replay, 1, 0, r.asker())
			if page == nil {
				return standing{}, false
			}
			if len(page.frames) == 0 && page.through >= page.upTo {
				return standing{Position: Position{Epoch: p.At.Epoch, Seq: page.upTo}}, true
			}
			return standing{Position: page.before(0), newest: page.upTo}, true
		case SinceUntil:
			return r.beginUntil(part, since)
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
	if f.key.framing.Run && since.Kind == SinceAll {
		return standing{Position: p.floor}, true // what is still in memory
	}
	return standing{Position: r.arrival(p)}, true
}

// judgeMembers is judge for a part that holds members. Each value is complete, so no client misses anything. If the feed's memory holds
// what follows the client's position, the part continues exactly; otherwise the newest values follow. The store is not asked what a client
// has missed: a key that was deleted a while ago left nothing behind.
func (r *Reader) judgeMembers(part int, after ID) (verdict, bool) {
	p := &r.feed.parts[part]
	if at, has := after.in(p.At.Epoch); has && at.Seq >= p.floor.Seq && at.Seq <= p.end().Seq {
		v, known := r.judgeKnown(part, at, Since{})
		if !known {
			return v, false
		}
		if v.gap == "" && v.reset == "" {
			v.standing = r.repeatMembers(part, v.standing)
			return v, true
		}
	}
	begin, known := r.beginAt(part, Since{Kind: SinceLast})
	return verdict{standing: begin, isRenewed: len(r.resume.After) > 0 || r.resume.Malformed}, known
}

// repeatMembers returns where a connection starts that continues exactly: a new one starts with the values as of its position, because the
// position may be all that its client has kept. A poll is part of a longer exchange, and a connection that moves to another feed has been
// told.
func (r *Reader) repeatMembers(part int, at standing) standing {
	if r.feed.parts[part].Log == nil || r.resume.left != nil || r.resume.Sync {
		return at
	}
	return standing{Position: Position{Epoch: at.Epoch}, newest: at.Seq}
}
