package presence_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// TestNATSIsAway: after an outage that all bridges saw, nobody leaves, although every lease is gone.
func TestNATSIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		nodes := []*node{open(t, b), open(t, b), open(t, b)}
		for i, n := range nodes {
			n.join("chat.a", fmt.Sprint("member", i))
		}
		time.Sleep(time.Minute)
		told := len(b.told())
		for _, n := range nodes {
			n.link.cut(true)
		}
		time.Sleep(time.Minute)
		for _, n := range nodes {
			time.Sleep(2 * time.Second)
			n.link.cut(false)
		}
		time.Sleep(time.Minute)
		if now := b.told()[told:]; len(now) > 0 {
			t.Errorf("an outage was told: %+v", now)
		}
	})
}

// TestBucketIsDeleted: everybody who is here is listed again.
func TestBucketIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		n := open(t, b)
		n.join("chat.a", "Ada")
		time.Sleep(time.Minute)
		n.link.cut(true)
		time.Sleep(10 * time.Second)
		b.mu.Lock()
		b.keys = map[string]entry{}
		b.mu.Unlock()
		n.link.cut(false)
		time.Sleep(2 * time.Second)
		expect(t, b, "chat.a", "Ada")
	})
}

// TestWithoutBucket: a bridge lists its own members as long as there cannot be a bucket, and shares them as soon as there is one.
func TestWithoutBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		n := openOver(t, &link{bucket: b, refuses: fmt.Errorf("no JetStream: %w", bridge.ErrNoBucket)})
		n.join("chat.a", "Ada")
		leave := n.join("chat.b", "Ben")
		time.Sleep(settle)
		leave()
		<-n.told
		<-n.told
		if value := <-n.told; value != nil {
			t.Errorf("when the last has left: %s", value)
		}
		if all := n.Own("chat.b"); len(all) != 1 || all[0].Count != 0 || all[0].Members == nil {
			t.Errorf("when the last has left: %+v", all)
		}
		if all := n.Own("chat.a"); len(all) != 1 || all[0].Count != 1 || all[0].Members[0].Name != "Ada" || len(n.told) != 0 {
			t.Errorf("without a bucket: %+v, told %d times more", all, len(n.told))
		}
		n.link.refuse(nil)
		time.Sleep(40 * time.Second)
		expect(t, b, "chat.a", "Ada")
		if len(n.Own("chat.a")) > 0 {
			t.Error("the bucket is there, and is not used")
		}
	})
}

// TestBucketIsMadeAnew: a bucket that another bridge has made anew in a moment gets everybody who is here, also if this bridge could always
// renew its lease, and its clock shows nothing, as that of a machine that was asleep.
func TestBucketIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		one, two := open(t, b), open(t, b)
		one.join("chat.a", "Ada")
		two.join("chat.a", "Ben")
		time.Sleep(time.Minute)
		b.mu.Lock()
		b.keys, b.last = map[string]entry{}, 0
		b.mu.Unlock()
		time.Sleep(settle)
		expect(t, b, "chat.a", "Ada", "Ben")
	})
}

// TestKeyIsDeleted: a value that somebody else has deleted is there again within minutes, and nobody is told to have joined.
func TestKeyIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		n := open(t, b)
		n.join("chat.a", "Ada")
		time.Sleep(time.Minute)
		b.mu.Lock()
		delete(b.keys, "chat.a")
		b.mu.Unlock()
		time.Sleep(6 * time.Minute)
		expect(t, b, "chat.a", "Ada")
		if got := strings.Join(b.events(), ", "); got != "join Ada" {
			t.Errorf("told: %s", got)
		}
	})
}

// TestNoGhostsWithoutBucket: what a bridge listed by itself is not listed again when the bucket comes and goes.
func TestNoGhostsWithoutBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		absent := fmt.Errorf("no JetStream: %w", bridge.ErrNoBucket)
		n := openOver(t, &link{bucket: b, refuses: absent})
		leave := n.join("chat.a", "Ada")
		n.join("chat.b", "Ben")
		time.Sleep(settle)
		if all := n.Own("chat.*"); len(all) != 3 || all[0].Subject != "chat.*" || all[0].Count != 0 {
			t.Errorf("of a filter: %+v", all)
		}
		n.link.refuse(nil)
		time.Sleep(40 * time.Second)
		leave()
		time.Sleep(settle)
		expect(t, b, "chat.a")
		n.link.refuse(absent)
		n.link.cut(true)
		time.Sleep(7 * time.Second)
		n.link.cut(false)
		time.Sleep(settle)
		if all := n.Own("chat.a"); len(all) != 1 || all[0].Count != 0 {
			t.Errorf("Ada has left: %+v", all)
		}
		if all := n.Own("chat.b"); len(all) != 1 || all[0].Count != 1 {
			t.Errorf("Ben is here: %+v", all)
		}
	})
}
