package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// KeyValue is a bucket that the bridge makes for itself.
type KeyValue struct {
	table    *Table
	name     string
	replicas int
}

// KeyValue returns the bucket of that name. If Prepare makes it, it has so many replicas. Until the first Prepare has made it, or
// found that it cannot be made, readers of its keys wait. Otherwise readers of subjects without a stream would get a gap when the
// bucket's stream appears.
func (t *Table) KeyValue(name string, replicas int) *KeyValue {
	k := &KeyValue{t, name, max(1, replicas)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.awaited = k.Subject(">")
	return k
}

// Stream returns the name of the bucket's stream.
func (k *KeyValue) Stream() string { return "KV_" + k.name }

// Subject returns the subject of a key.
func (k *KeyValue) Subject(key string) bridge.Subject {
	return bridge.Subject("$KV." + k.name + "." + key)
}

// MarkerTTL is how long the deletion of a key remains visible. Rooms come and go, so their remains must disappear, too.
const MarkerTTL = 5 * time.Minute

// Prepare makes the bucket if it does not exist, and returns when it stores messages. The error wraps bridge.ErrNoBucket if no
// suitable bucket is possible, and bridge.ErrUnavailable if that is not known now.
func (k *KeyValue) Prepare(ctx context.Context) error {
	t := k.table
	err := k.prepare(ctx)
	if err == nil || errors.Is(err, bridge.ErrNoBucket) {
		t.mu.Lock()
		isAwaited := t.awaited != ""
		t.awaited = ""
		t.mu.Unlock()
		if isAwaited {
			t.changed()
		}
	}
	return err
}

func (k *KeyValue) prepare(ctx context.Context) error {
	t := k.table
	var info jetstream.StreamInfo
	err := t.api.Call(ctx, js.AskInfo+k.Stream(), nil, &info)
	if isNotFound(err) {
		err = k.create(ctx, &info)
	}
	switch {
	case err != nil && (isAbsence(err) || isVerdict(err)):
		return fmt.Errorf("%w: the bucket %s: %w", bridge.ErrNoBucket, k.name, err)
	case err != nil:
		return fmt.Errorf("%w: look for the bucket %s: %w", bridge.ErrUnavailable, k.name, err)
	}
	if err := k.check(&info.Config); err != nil {
		return err
	}
	err = t.until(ctx, func() bool { // the table knows that the bucket's stream holds its keys
		t.mu.Lock()
		defer t.mu.Unlock()
		holder, known := t.find(k.Subject(">"))
		return known && holder != nil && holder.Name() == k.Stream()
	})
	if err != nil {
		return fmt.Errorf("%w: wait for the bucket %s: %w", bridge.ErrUnavailable, k.name, err)
	}
	return nil
}

// create makes the bucket. Tailwater's own streams come first: an account may allow only so many streams, and without these there may be no start.
func (k *KeyValue) create(ctx context.Context, info *jetstream.StreamInfo) error {
	t := k.table
	if err := t.until(ctx, func() bool { _, known := t.kept(); return known }); err != nil {
		return err
	}
	if err := t.api.Call(ctx, js.AskCreate+k.Stream(), k.config(), info); err != nil {
		return err
	}
	t.log.Info("made the bucket " + k.name)
	t.Doubt(k.Stream())
	return nil
}

// Look reports whether the bucket exists, or could be made, without making it. The errors are those of Prepare.
func (k *KeyValue) Look(ctx context.Context) (exists bool, err error) {
	t := k.table
	if _, err := t.Await(ctx, nil); err != nil {
		return false, fmt.Errorf("%w: look for the bucket %s: %w", bridge.ErrUnavailable, k.name, err)
	}
	var info jetstream.StreamInfo
	err = t.api.Call(ctx, js.AskInfo+k.Stream(), nil, &info)
	switch {
	case err == nil:
		return true, k.check(&info.Config)
	case !isNotFound(err):
		return false, fmt.Errorf("%w: the bucket %s: %w", bridge.ErrNoBucket, k.name, err)
	}
	if others := t.Current().overlapping(k.Subject(">")); len(others) > 0 {
		return false, fmt.Errorf("%w: the stream %s holds the keys of the bucket %s", bridge.ErrNoBucket, others[0].Name(), k.name)
	}
	// An empty request makes nothing: JetStream refuses it, but NATS passes it on only if the bridge may send it.
	if err := t.api.Call(ctx, js.AskCreate+k.Stream(), nil, nil); errors.Is(err, bridge.ErrRefused) {
		return false, fmt.Errorf("%w: the bucket %s: %w", bridge.ErrNoBucket, k.name, err)
	}
	return false, nil
}

// Remedy returns the command that makes the bucket as the bridge would.
func (k *KeyValue) Remedy() string {
	return k.table.api.Command("kv", "add", k.name, "--marker-ttl="+duration(MarkerTTL))
}

// check returns an error if an existing bucket is not suitable.
func (k *KeyValue) check(config *jetstream.StreamConfig) error {
	filter, fault := k.Subject(">"), ""
	switch {
	case !slices.ContainsFunc(config.Subjects, func(s string) bool { return bridge.Subject(s).Covers(filter) }):
		fault = "has not the subjects of a bucket"
	case !config.AllowMsgTTL:
		fault = "allows no time to live of single keys"
	case config.Retention != jetstream.LimitsPolicy || config.NoAck || config.SubjectTransform != nil:
		fault = "is a stream that a bridge cannot read"
	case config.Sealed:
		fault = "is sealed"
	case config.MaxMsgSize > 0 && config.MaxMsgSize < leastMsgSize:
		fault = "takes only values of " + humanize.IBytes(uint64(config.MaxMsgSize))
	default:
		return nil
	}
	return fmt.Errorf("%w: the bucket %s %s; delete it, and the bridge makes another", bridge.ErrNoBucket, k.name, fault)
}

// leastMsgSize is the size of the largest value: the names of 200 members, and the bridges of each.
const leastMsgSize = 128 << 10

func (k *KeyValue) config() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: k.Stream(), Description: "Who is here, by Tailwater, see TAILWATER_PRESENCE", Subjects: []string{string(k.Subject(">"))},
		Storage: jetstream.FileStorage, Replicas: k.replicas, Discard: jetstream.DiscardNew,
		MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: -1, MaxMsgsPerSubject: 1,
		AllowDirect: true, DenyDelete: true, AllowRollup: true, AllowMsgTTL: true, SubjectDeleteMarkerTTL: MarkerTTL,
	}
}

// Get returns the value of a key, according to the leader, and its revision. A key without a value returns nil; the revision is 0
// if the key was never written, or deleted a while ago.
func (k *KeyValue) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	found, err := k.table.api.Stored(ctx, k.Stream(), js.MsgGet{LastFor: k.Subject(key)})
	if err != nil {
		return nil, 0, fmt.Errorf("%w: read the key %s: %w", bridge.ErrUnavailable, key, err)
	}
	if found.Seq == 0 || js.IsDeleted(found.Header) {
		return nil, found.Seq, nil
	}
	return append([]byte{}, found.Data...), found.Seq, nil
}
