package bridge

import (
	"cmp"
	"slices"
)

// opening judges, part by part, the position that a client has sent, or where its URL says to begin. If it lacks a result from the store, the
// reader opens again when that has arrived, and finds it cached.
type opening struct {
	*Reader
	after   ID // the client's position
	since   Since
	reset   string // why the client's position is not valid; "" if it may be
	lacking bool   // a result is missing; the waker will be woken
}

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
	o := opening{Reader: r, after: r.resume.After, since: r.resume.Since}
	switch {
	case r.resume.Malformed:
		o.after, o.reset = nil, ResetMalformed
	case len(o.after) == 0 && o.since.Kind == SinceID:
		o.after, o.since = o.since.ID, Since{}
	}
	// Positions of a reader that has left a feed were valid, whatever the new feed is.
	if len(o.after) > 0 && r.resume.left == nil && !f.knowsAny(o.after) && !f.isMembersOnly() {
		o.after, o.reset = nil, f.strange(o.after)
	}
	if o.since.Kind == SinceID && !f.knowsAny(o.since.ID) {
		o.since = Since{}
	}
	if o.since.Kind == SinceUntil && !f.knowsAny(o.since.ID) {
		o.reset = f.strange(o.since.ID)
	}
	verdicts := make([]verdict, len(f.parts))
	for i := range f.parts { // all of them, so that what they lack is looked up at once
		verdicts[i] = o.judge(&f.parts[i])
	}
	if o.lacking {
		return nil, false
	}
	return o.begin(verdicts), true
}

// begin sets the cursor and returns the events for it; at last the members that no stream holds.
func (o *opening) begin(verdicts []verdict) (events [][]byte) {
	f, gap := o.feed, ""
	o.have = make([]standing, len(verdicts))
	if slices.ContainsFunc(o.after, o.mayMiss) {
		gap = GapDisconnected // a part that the feed does not have may have had more messages
	}
	for i, v := range verdicts {
		p := &f.parts[i]
		o.have[i] = v.standing
		o.have[i].sync = o.replayEnd(p)
		o.have[i].isAhead = o.have[i].sync > p.end().Seq
		if p.Deaf && !p.isMembers {
			gap = max(gap, GapDisconnected)
		}
		gap = max(gap, v.gap) // their alphabetical order is that of their severity: disconnected, overrun, retention
		o.reset = cmp.Or(o.reset, v.reset)
	}
	o.syncing, o.syncAt = o.resume.Sync || o.resume.Since.Kind != SinceNew, f.end()
	hello, isFirst := o.resume.greeting, o.resume.left == nil
	o.resume = nil
	if isFirst {
		f.hub.counters.resume(len(o.after) > 0, o.reset, gap)
	}
	switch {
	case o.reset != "":
		f.hub.counters.resets.Add(o.reset)
		events = append(events, f.key.framing.reset(hello, o.id(), o.reset))
	case gap != "":
		f.hub.counters.gaps.Add(gap)
		events = append(events, f.key.framing.gap(hello, o.before(), o.id(), gap))
	case isFirst:
		events = append(events, f.key.framing.open(hello, f.subjects, o.id()))
	}
	return append(append(events, f.nobody(verdicts)...), f.ownMembers()...)
}

// before returns the client's position. Parts whose logs are not read, and of which the client has no position, are left out.
func (o *opening) before() ID {
	if len(o.after) > 0 {
		return o.after
	}
	id := o.id()
	for i := range id {
		if p := &o.feed.parts[i]; p.Unreadable || p.Deaf {
			id[i] = Position{Epoch: id[i].Epoch}
		}
	}
	return id
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

// judge returns how one part continues: after the client's position, or without one, as the URL says.
func (o *opening) judge(p *part) verdict {
	at, has := o.after.in(p.At.Epoch)
	switch {
	case p.isMembers:
		return o.judgeMembers(p, at, has)
	case has:
		v := o.judgeKnown(p, at)
		if v.reset != "" {
			v.standing = o.beginAt(p, o.since)
		}
		return v
	case o.resume.left != nil && p.wasOther(o.after):
		// The client was connected when the stream was created again, so it is owed the whole stream.
		return verdict{standing: standing{Position: Position{Epoch: p.At.Epoch}}, reset: ResetRecreated}
	}
	v := verdict{standing: o.beginAt(p, o.since)}
	switch {
	case p.Unreadable && o.since.IsStored():
		v.gap = GapDisconnected
	case len(o.after) == 0:
	case p.wasOther(o.after):
		v.reset = ResetRecreated
	default:
		v.gap = GapDisconnected
	}
	return v
}

// judgeMembers is judge for a part that holds members. Each value is complete, so no client misses anything. If the feed's memory holds
// what follows the client's position, the part continues exactly; otherwise the newest values follow. The store is not asked what a client
// has missed: a key that was deleted a while ago left nothing behind.
func (o *opening) judgeMembers(p *part, at Position, has bool) verdict {
	if has && at.Seq >= p.floor.Seq && at.Seq <= p.end().Seq {
		if v := o.judgeKnown(p, at); v.gap == "" && v.reset == "" {
			// A new connection starts with the values as of its position, because the position may be all that its client has kept. A poll is
			// part of a longer exchange, and a connection that moves to another feed has been told.
			if p.Log != nil && o.resume.left == nil && !o.resume.Sync {
				v.standing = standing{Position: Position{Epoch: v.Epoch}, newest: v.Seq}
			}
			return v
		}
	}
	return verdict{standing: o.beginAt(p, Since{Kind: SinceLast}), isRenewed: len(o.resume.After) > 0 || o.resume.Malformed}
}

// judgeKnown is judge for a position in the part's own epoch.
func (o *opening) judgeKnown(p *part, at Position) verdict {
	if p.Log == nil {
		v := o.judgeUnstored(p, at)
		if v.gap != "" && o.resume.left != nil {
			v.gap = GapDisconnected // between two feeds
		}
		return v
	}
	had, left := o.resume.leftAt(at.Epoch)
	grown := left != nil && slices.ContainsFunc(p.Subjects, func(s Subject) bool { return !slices.Contains(left.Subjects, s) })
	if grown {
		at, had = left.last, standing{} // below that, the log's messages on the subject came from elsewhere, if there are any
	}
	v := o.judgeStored(p, at, had)
	if grown {
		v.gap = max(v.gap, GapDisconnected)
	}
	return v
}

// judgeUnstored judges by what the feed holds, because nothing is stored.
func (o *opening) judgeUnstored(p *part, at Position) verdict {
	switch {
	case at.Seq < p.floor.Seq:
		return verdict{standing: standing{Position: p.floor}, gap: GapRetention}
	case at.Seq > p.last.Seq:
		at = p.last
	case at.Time == 0:
		at.Time, _ = o.feed.remember(p, at.Seq, nil)
	}
	return verdict{standing: standing{Position: at}}
}

// judgeStored finds out whether the position belongs to this life of the stream, and whether everything after it is still stored. What was
// announced to a client on a feed that it has left is not announced again.
func (o *opening) judgeStored(p *part, at Position, had standing) verdict {
	f := o.feed
	var read *page
	if at.Seq < p.floor.Seq {
		// The page begins at the position itself: the message there, if stored, proves the time.
		if read = f.hub.replays.page(p.replay, max(at.Seq, 1), p.floor.Seq, gatherTime, o.asker()); read == nil {
			return verdict{standing: o.lacks()}
		}
	}
	if at.Seq > 0 {
		time, known := f.remember(p, at.Seq, read)
		if !known && (at.Time != 0 || at.Seq > p.end().Seq) {
			result := f.hub.replays.stored(p.Log, at.Seq, o.asker())
			if result == nil {
				return verdict{standing: o.lacks()}
			}
			if time = result.at.Time; time == 0 && at.Seq > max(result.last, p.end().Seq) {
				return verdict{reset: ResetRolled} // not yet stored in the restored copy
			}
		}
		if at.Time != 0 && time != 0 && at.Time != time {
			return verdict{reset: ResetRolled} // the sequence was used again for another message
		}
		at.Time = max(at.Time, time)
	}
	if read != nil && at.Seq < read.lostBelow && max(had.told, had.newest) < read.lostBelow {
		return verdict{standing: standing{Position: read.before(at.Seq), told: read.lostBelow}, gap: GapRetention}
	}
	return verdict{standing: standing{Position: at, told: had.told, newest: had.newest}}
}

// remember returns the time of a part's message with that sequence, if it is known here.
func (f *Feed) remember(p *part, seq uint64, read *page) (time int64, known bool) {
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
	if fr := f.find(f.of(p.At), seq); fr != nil && (fr.gap == "" || p.Log == nil) {
		return fr.time, true
	}
	return 0, false
}

// beginAt returns where a client without a position begins in a part, as its URL says.
func (o *opening) beginAt(p *part, since Since) standing {
	f := o.feed
	if p.Log != nil {
		switch since.Kind {
		case SinceAll:
			return o.beginAtPage(p, 1)
		case SinceTime:
			result := f.hub.replays.since(p.Log, since.Time, o.asker())
			if result == nil {
				return o.lacks()
			}
			return o.beginAtPage(p, result.since)
		case SinceLast:
			page := f.hub.replays.newestPage(p.replay, 1, 0, o.asker())
			switch {
			case page == nil:
				return o.lacks()
			case len(page.frames) == 0 && page.through >= page.upTo:
				return standing{Position: Position{Epoch: p.At.Epoch, Seq: page.upTo}}
			}
			return standing{Position: page.before(0), newest: page.upTo}
		case SinceUntil:
			return o.beginUntil(p, since)
		}
	}
	if at, has := since.ID.in(p.At.Epoch); has {
		if v := o.judgeKnown(p, at); v.reset == "" {
			return v.standing
		}
	}
	if f.key.framing.Run && since.Kind == SinceAll {
		return standing{Position: p.floor} // what is still in memory
	}
	return standing{Position: o.arrival(p)}
}
