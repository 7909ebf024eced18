package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// Bucket is the state of a bucket of the key-value store, for a program that needs all of its keys.
type Bucket struct {
	Exists     bool   // a stream holds its keys, or will
	Unreadable bool   // the bridge cannot read its keys, so they are unknown
	Problem    string // what is wrong with it; "" if nothing is
	Remedy     string // how to repair it; often a command line
}

// Bucket waits until the state of a bucket is known and differs from was; nil stands for an unknown state. keep is how long the
// bucket must keep a key. An error means that ctx has ended, or that the table is closed.
func (t *Table) Bucket(ctx context.Context, name string, keep time.Duration, was *Bucket) (found Bucket, err error) {
	err = t.until(ctx, func() (known bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		found, known = t.bucket(name, keep, was != nil && was.Exists)
		return known && (was == nil || *was != found)
	})
	return found, err
}

// bucket returns the known state of a bucket. existed means that the bucket was there before: if JetStream is gone, the bucket is
// unreadable, not gone. The lock must be held.
func (t *Table) bucket(name string, keep time.Duration, existed bool) (found Bucket, known bool) {
	filter := bridge.Subject("$KV." + name + ".>")
	holder, known := t.find(filter)
	if !known {
		return Bucket{}, false
	}
	add := t.api.Command("kv", "add", name)
	anew := "delete the stream, and make the bucket: " + add
	unreadable := func(problem, remedy string) (Bucket, bool) {
		return Bucket{true, true, "the keys of the bucket " + name + " cannot be read: " + problem, remedy}, true
	}
	own := t.now.Get("KV_" + name)
	holds := cmp.Or(holder, own)
	switch absence := t.now.absence; {
	case absence.remedy != "":
		return unreadable(absence.why, absence.remedy)
	case absence.why != "" && (existed || t.api.Prefix != ""):
		return unreadable(absence.why, "repair the server that has the bucket")
	case slices.Contains(t.now.hidden, "KV_"+name):
		return unreadable("NATS does not let this bridge look at the stream KV_"+name, t.allow())
	case holds == nil && len(t.now.overlapping(filter)) == 0:
		return Bucket{Remedy: add}, true
	case holds != nil && holds.Untapped() != "":
		return unreadable(holds.Untapped(), anew)
	case holder == nil && own != nil && len(own.Info.Config.Subjects) == 0:
		return unreadable("the stream KV_"+name+" has no subjects of its own", anew)
	case holder == nil:
		return unreadable(t.now.Reason(filter), "let no stream hold a part of "+string(filter)+", and make the bucket: "+add)
	case t.isUnreadable(holder.Name()):
		by := t.unreadable[holder.Name()]
		return unreadable(by.Why, by.Remedy)
	}
	found = Bucket{Exists: true}
	found.Problem, found.Remedy = t.forgets(name, holder, keep)
	return found, true
}

// forgets returns why a stream may drop or refuse keys of a bucket within the time keep; "" if it does not.
func (t *Table) forgets(name string, holder *Stream, keep time.Duration) (problem, remedy string) {
	config := &holder.Info.Config
	begin := "the bucket " + name
	edit := func(flag string) string { return t.api.Edit(config.Name, flag) }
	switch {
	case config.Name != "KV_"+name:
		return fmt.Sprintf("%s is held by the stream %s, which is not a bucket's: a deleted key stays there", begin, config.Name),
			"let that stream hold other subjects, and make the bucket: " + t.api.Command("kv", "add", name)
	case config.Sealed:
		return begin + " is sealed, and accepts no more keys", "make it anew"
	case config.Storage == jetstream.MemoryStorage:
		return begin + " is kept in memory, and forgets its keys when NATS is restarted", "make it anew with --storage=file"
	case config.MaxAge > 0 && config.MaxAge < keep:
		return fmt.Sprintf("%s forgets a key after %v, and a token may be valid for %v", begin, config.MaxAge, keep), edit("--max-age=" + duration(keep))
	case config.Discard == jetstream.DiscardOld && (config.MaxMsgs > 0 || config.MaxBytes > 0):
		return begin + " throws away old keys when it is full", edit("--discard=new")
	}
	return "", ""
}
