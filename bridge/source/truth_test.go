package source_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

var soak = flag.Bool("soak", false, "try the rule of exact, gap and reset on many more streams")

// truthWorkers is how many streams are tried at once: most of the time, reads wait for others that may come.
const truthWorkers = 8

// What positions are worth is held against what was really published, on small streams with limits of all kinds: no
// client misses what it is owed without being told before anything later, and what is stored comes once and in order. The
// gaps that are told though nothing is missing are counted; each must have its excuse.
//
// Each stream has a number, from which all follows but the speed of taps: `-run 'TestGroundTruth/^17$'` repeats one.
func TestGroundTruth(t *testing.T) {
	t.Parallel()
	streams := 60 // make soak tries 6,000
	if *soak {
		streams = 6000
	}
	dial := embedded(t)
	conn := publisher(t, dial)
	src := newFixture(t, dial, quiet).source
	count := tally{}
	var running sync.WaitGroup
	var last atomic.Int64
	for range truthWorkers {
		running.Go(func() {
			for number := last.Add(1); number <= int64(streams); number = last.Add(1) {
				t.Run(fmt.Sprint(number), func(t *testing.T) { newTruthCase(t, conn, src, number, &count).run() })
			}
		})
	}
	running.Wait()
	resumes := count.of("exact") + count.of("gap") + count.of("false gap")
	t.Logf("%d of %d resumes were told a gap although nothing was missing; in all: %v", count.of("false gap"), resumes, count.counts)
	if resumes > 300 { // not only one stream was asked for
		kinds := []string{"exact", "gap", "reset, recreated", "reset, rolled back", "reset, unknown", "there, exact"}
		if *soak {
			kinds = append(kinds, "there, gap") // one of some sixty streams, if its tap is slow enough
		}
		for _, kind := range kinds {
			if count.of(kind) == 0 {
				t.Errorf("the streams do not try everything: no client had %q", kind)
			}
		}
	}
}

// tally counts how clients continued.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (y *tally) add(kind string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.counts == nil {
		y.counts = map[string]int{}
	}
	y.counts[kind]++
}

func (y *tally) of(kind string) int { return y.counts[kind] }

// truthCase is one stream, and the clients that read it.
type truthCase struct {
	*truth
	source *source.Source
	tally  *tally

	former []string // ids of an earlier life of the stream
	seen   []string // ids that clients were given

	live   *fixture      // its feeds were there during the publishing; nil for none
	memory bridge.Memory // of these feeds
	begun  uint64        // the position at which they began
	held   []*held
	keeper *client
}

func newTruthCase(t *testing.T, conn *nats.Conn, src *source.Source, number int64, count *tally) *truthCase {
	t.Helper()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(uint64(number), 0))
	return &truthCase{truth: newTruth(t, js, random, fmt.Sprint("TRUTH", number)), source: src, tally: count}
}

// held is a client that is there from some moment on, and reads only at the end.
type held struct {
	*client
	filters []bridge.Subject
	open    bridgetest.Event
}

func (c *truthCase) run() {
	c.t.Helper()
	if c.random.IntN(8) == 0 {
		c.exchange()
	}
	eventually(c.t, "the stream is known", func() bool {
		extent, err := c.source.Extent(within(c.t, patience), []bridge.Subject{c.everything()})
		return err == nil && len(extent.Last) == 1 && extent.Last[0].Epoch == c.epoch
	})
	steps := 3 + c.random.IntN(15)
	liveFrom := c.random.IntN(2 * steps) // for half of the streams, never
	for i := range steps {
		if i == liveFrom {
			c.goLive()
		}
		c.step()
	}
	if c.live != nil {
		c.publish(1) // which shows when the tap has caught up
		c.look()
		c.readHeld()
		for range 3 {
			c.resume(c.live, c.begun)
		}
	} else if c.random.IntN(8) == 0 {
		c.deleteLast()
	}
	cold := newHub(c.t, c.source, ample)
	c.keeper = cold.read(c.t, c.everything()) // it keeps the tap, so that the others need not wait for theirs
	c.keeper.wantOpen()
	c.look()
	begun := uint64(len(c.all))
	for range 5 {
		c.resume(cold, begun)
	}
}

// deleteLast deletes the last message: positions of messages that were there remain good.
func (c *truthCase) deleteLast() {
	if c.look(); len(c.all) > 0 && c.all[len(c.all)-1].stored {
		last := c.all[len(c.all)-1]
		if err := c.stream.DeleteMsg(within(c.t, patience), last.seq); err != nil {
			c.t.Fatal(err)
		}
		last.deleted = true
	}
}

// exchange lets the stream have an earlier life, with ids of its own.
func (c *truthCase) exchange() {
	c.publish(1 + c.random.IntN(5))
	for _, m := range c.all {
		c.former = append(c.former, bridge.Position{Epoch: c.epoch, Seq: m.seq, Time: m.time}.String())
	}
	c.delete()
	c.create()
}

// goLive opens clients that are there during what follows. Their feeds hold some of it, or all.
func (c *truthCase) goLive() {
	c.memory = pick(c.random, ample, bridge.Memory{Frames: 5, Bytes: 1 << 20})
	c.live = newHub(c.t, c.source, c.memory)
	c.begun = uint64(len(c.all))
	for _, filters := range [][]bridge.Subject{{c.everything()}, c.filters(), c.filters()} {
		h := &held{client: c.live.read(c.t, filters...), filters: filters}
		h.open = h.next()
		c.held = append(c.held, h)
	}
}

// readHeld lets them read. The first reads everything, and so waits for the tap.
func (c *truthCase) readHeld() {
	for _, h := range c.held {
		r := c.newReading("that was there", h.filters, c.begun)
		r.exactly = c.memory == ample
		r.take(h.open)
		r.readTo(h.client, c.lastStored(h.filters, c.begun))
		if r.opening.Type != bridge.EventOpen {
			r.fail("it begins with %+v", r.opening)
		}
		if r.check(); len(r.gaps) > 0 {
			c.tally.add("there, gap")
		} else {
			c.tally.add("there, exact")
		}
	}
}

// lastStored gives the last message there is on filters above a position, 0 for none.
func (c *truthCase) lastStored(filters []bridge.Subject, above uint64) uint64 {
	for _, m := range slices.Backward(c.all) {
		if m.stored && m.seq > above && bridge.FirstMatch(filters, m.subject) != "" {
			return m.seq
		}
	}
	return 0
}

// position returns a position that a client may bring, and the reason why it is refused, "" if it is good.
func (c *truthCase) position() (id bridge.ID, refused string) {
	last := uint64(len(c.all))
	at := bridge.Position{Epoch: c.epoch}
	switch c.random.IntN(16) {
	case 0: // before everything
	case 1:
		at.Seq = last + 1 + c.random.Uint64N(3)
		at.Time = pick[int64](c.random, 0, 1)
		refused = bridge.ResetRolled
	case 2:
		at.Epoch, at.Seq, refused = "strange00000", c.random.Uint64N(5), bridge.ResetUnknown
	case 3, 4:
		ids := pick(c.random, c.former, c.seen)
		if len(ids) == 0 {
			break
		}
		id, err := bridge.ParseID(pick(c.random, ids...))
		if err != nil {
			c.t.Fatal(err)
		}
		if id[0].Epoch != c.epoch {
			refused = bridge.ResetRecreated
		}
		return id, refused
	case 5, 6:
		at.Seq = last
		fallthrough
	default:
		if last == 0 {
			break
		}
		if at.Seq == 0 {
			at.Seq = 1 + c.random.Uint64N(last)
		}
		m := c.all[at.Seq-1]
		if at.Time = pick(c.random, 0, m.time, m.time); at.Time != 0 && m.stored && c.random.IntN(8) == 0 {
			at.Time += pick[int64](c.random, -1, 1)
			refused = bridge.ResetRolled
		}
	}
	return bridge.ID{at}, refused
}

// resume lets a client come with some position, and read to the end. The feeds of the fixture began at a position, or later.
func (c *truthCase) resume(b *fixture, begun uint64) {
	c.t.Helper()
	id, refused := c.position()
	filters := c.filters()
	since := bridge.Since{Kind: pick(c.random, bridge.SinceNew, bridge.SinceAll)}
	r := c.newReading(fmt.Sprintf("behind %s, since %v", id, since.Kind), filters, id[0].Seq)
	if refused != "" {
		r.at = uint64(len(c.all))
		if since.Kind == bridge.SinceAll {
			r.at = 0
		}
	}
	// Limits may remove messages while they are being read.
	isBusy := refused == "" && b != c.live && c.random.IntN(4) == 0
	from := b.open(c.t, bridge.Framing{Format: bridge.JSON}, bridge.Resume{After: id, Since: since}, filters...)
	defer from.reader.Close()
	var publishing sync.WaitGroup
	if isBusy {
		messages := c.write(5 + c.random.IntN(20))
		publishing.Go(func() { c.send(messages) })
	}
	r.take(from.next())
	if since.Kind == bridge.SinceAll {
		r.readToSynced(from)
	}
	if publishing.Wait(); isBusy {
		c.look()
		c.newReading("that reads everything", []bridge.Subject{c.everything()}, 0).readTo(c.keeper, uint64(len(c.all))) // so does the tap
	}
	r.readTo(from, c.lastStored(filters, r.at))
	if !isBusy && b != c.live { // where the tap, or the feed, may have had more than is stored
		from.wantNothing()
	}
	r.checkReset(refused)
	missing, hidden := r.check()
	if refused != "" {
		c.tally.add("reset, " + refused)
		return
	}
	excuse := c.excuse(r.at, filters)
	switch {
	case excuse != "":
	case isBusy:
		excuse = "messages went while they were being read"
	case c.removedAbove(begun):
		excuse = "the tap found messages gone"
	}
	c.judge(r, missing, hidden, excuse)
}

// judge counts how a client continued. A gap that was told in vain must have an excuse.
func (c *truthCase) judge(r *reading, missing, hidden bool, excuse string) {
	c.t.Helper()
	switch {
	case len(r.gaps) == 0 && hidden:
		c.tally.add("exact, but for what nothing shows")
	case len(r.gaps) == 0:
		c.tally.add("exact")
	case missing || hidden:
		c.tally.add("gap")
	default:
		c.tally.add("false gap")
		c.tally.add("false gap: " + excuse)
		if excuse == "" {
			r.fail("it was told a gap, and nothing was missing")
		}
	}
}
