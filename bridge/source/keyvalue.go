package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// KeyValue is a bucket that bridges write by compare-and-set.
type KeyValue struct {
	source   *Source
	name     string
	replicas int
}

// KeyValue returns the bucket of that name. If Prepare makes it, it has so many replicas. Until the first Prepare has made it, or has said
// that there can be none, whoever reads its keys waits: otherwise, readers of subjects without a stream would be told by a gap that one of
// their streams has come.
func (s *Source) KeyValue(name string, replicas int) *KeyValue {
	k := &KeyValue{s, name, max(1, replicas)}
	s.table.mu.Lock()
	defer s.table.mu.Unlock()
	s.table.awaited = k.subject(">")
	return k
}

// decided ends the wait of readers.
func (k *KeyValue) decided() {
	t := k.source.table
	t.mu.Lock()
	isAwaited := t.awaited != ""
	t.awaited = ""
	t.mu.Unlock()
	if isAwaited {
		t.changed()
	}
}

func (k *KeyValue) stream() string { return "KV_" + k.name }
func (k *KeyValue) subject(key string) bridge.Subject {
	return bridge.Subject("$KV." + k.name + "." + key)
}

// markerTTL is how long it can be seen that a key was deleted. Rooms come and go: what is left of each must go as well.
const markerTTL = 5 * time.Minute

// Prepare makes the bucket, if there is none. It returns when messages for it are stored. The error wraps bridge.ErrNoBucket if there
// cannot be one that does what is needed, and bridge.ErrUnavailable if that cannot be said now.
func (k *KeyValue) Prepare(ctx context.Context) error {
	err := k.prepare(ctx)
	if err == nil || errors.Is(err, bridge.ErrNoBucket) {
		k.decided()
	}
	return err
}

func (k *KeyValue) prepare(ctx context.Context) error {
	t := k.source.table
	var info jetstream.StreamInfo
	err := t.call(ctx, askInfo+k.stream(), nil, &info)
	if isNotFound(err) {
		err = t.call(ctx, askCreate+k.stream(), k.config(), &info)
		if err == nil {
			t.log.Info("made the bucket " + k.name)
			t.refresh()
		}
	}
	switch {
	case err != nil && (isAbsence(err) || isVerdict(err)):
		return fmt.Errorf("%w: the bucket %s: %w", bridge.ErrNoBucket, k.name, err)
	case err != nil:
		return fmt.Errorf("%w: look for the bucket %s: %w", bridge.ErrUnavailable, k.name, err)
	}
	if fault := k.fault(&info.Config); fault != "" {
		return fmt.Errorf("%w: the bucket %s %s; delete it, and the bridge makes another", bridge.ErrNoBucket, k.name, fault)
	}
	return k.await(ctx)
}

// Look reports whether the bucket is there, or else can be made, without making it. The error is as Prepare's.
func (k *KeyValue) Look(ctx context.Context) (exists bool, err error) {
	t := k.source.table
	if _, err := t.await(ctx, nil); err != nil {
		return false, fmt.Errorf("%w: look for the bucket %s: %w", bridge.ErrUnavailable, k.name, err)
	}
	var info jetstream.StreamInfo
	err = t.call(ctx, askInfo+k.stream(), nil, &info)
	switch {
	case err == nil:
		if fault := k.fault(&info.Config); fault != "" {
			return true, fmt.Errorf("%w: the bucket %s %s; delete it, and the bridge makes another", bridge.ErrNoBucket, k.name, fault)
		}
		return true, nil
	case !isNotFound(err):
		return false, fmt.Errorf("%w: the bucket %s: %w", bridge.ErrNoBucket, k.name, err)
	}
	if others := t.current().overlapping(k.subject(">")); len(others) > 0 {
		return false, fmt.Errorf("%w: the stream %s holds the keys of the bucket %s", bridge.ErrNoBucket, others[0].name(), k.name)
	}
	// An empty request makes nothing: JetStream refuses it, but NATS lets it pass only if the bridge may ask.
	if err := t.call(ctx, askCreate+k.stream(), nil, nil); errors.Is(err, bridge.ErrRefused) {
		return false, fmt.Errorf("%w: the bucket %s: %w", bridge.ErrNoBucket, k.name, err)
	}
	return false, nil
}

// Remedy returns the command that makes the bucket as the bridge would.
func (k *KeyValue) Remedy() string {
	return k.source.table.api.command("kv", "add", k.name, "--marker-ttl="+duration(markerTTL))
}

// fault says what a bucket that somebody has made cannot do; "" if it does all that is needed.
func (k *KeyValue) fault(config *jetstream.StreamConfig) string {
	filter := k.subject(">")
	switch {
	case !slices.ContainsFunc(config.Subjects, func(s string) bool { return bridge.Subject(s).Covers(filter) }):
		return "has not the subjects of a bucket"
	case !config.AllowMsgTTL:
		return "allows no time to live of single keys"
	case config.Retention != jetstream.LimitsPolicy || config.NoAck || config.SubjectTransform != nil:
		return "is a stream that a bridge cannot read"
	case config.Sealed:
		return "is sealed"
	case config.MaxMsgSize > 0 && config.MaxMsgSize < leastMsgSize:
		return "takes only values of " + humanize.IBytes(uint64(config.MaxMsgSize))
	}
	return ""
}

// leastMsgSize is how large a value may become: the names of 200 members, and which bridges have them.
const leastMsgSize = 128 << 10

// await waits until the source knows that the bucket's stream holds its keys.
func (k *KeyValue) await(ctx context.Context) error {
	for {
		t := k.source.table
		t.mu.Lock()
		news := t.news
		holder, known := t.find(k.subject(">"))
		t.mu.Unlock()
		if known && holder != nil && holder.name() == k.stream() {
			return nil
		}
		if err := t.pause(ctx, news); err != nil {
			return fmt.Errorf("%w: wait for the bucket %s: %w", bridge.ErrUnavailable, k.name, err)
		}
	}
}

func (k *KeyValue) config() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: k.stream(), Description: "Who is here, by Tailwater, see TAILWATER_PRESENCE", Subjects: []string{string(k.subject(">"))},
		Storage: jetstream.FileStorage, Replicas: k.replicas, Discard: jetstream.DiscardNew,
		MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: -1, MaxMsgsPerSubject: 1,
		AllowDirect: true, DenyDelete: true, AllowRollup: true, AllowMsgTTL: true, SubjectDeleteMarkerTTL: markerTTL,
	}
}

// Get returns the value of a key, as the leader has it, and its revision. A key without a value has nil, and one that was deleted a while
// ago, or never written, the revision 0.
func (k *KeyValue) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	found, err := k.source.api.stored(ctx, k.stream(), msgGet{LastFor: k.subject(key)})
	if err != nil {
		return nil, 0, fmt.Errorf("%w: read the key %s: %w", bridge.ErrUnavailable, key, err)
	}
	if found.Seq == 0 || isDeleted(found.Header) {
		return nil, found.Seq, nil
	}
	return append([]byte{}, found.Data...), found.Seq, nil
}

// isDeleted reports whether a stored message says that its key has no value.
func isDeleted(block []byte) bool {
	if len(block) == 0 {
		return false
	}
	header, err := nats.DecodeHeadersMsg(block)
	operation := header.Get(headerOperation)
	return err == nil && (header.Get(headerMarker) != "" || operation == "DEL" || operation == "PURGE")
}

// Put writes a value, if the newest has that revision: else the error wraps bridge.ErrConflict. NATS removes the value after ttl, 0 for
// never.
func (k *KeyValue) Put(ctx context.Context, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error) {
	header := map[string][]string{jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(revision, 10)}}
	if ttl > 0 {
		header[jetstream.MsgTTLHeader] = []string{ttl.String()}
	}
	return k.publish(ctx, key, header, value)
}

// Delete removes a value, if it has that revision: else the error wraps bridge.ErrConflict.
func (k *KeyValue) Delete(ctx context.Context, key string, revision uint64) error {
	_, err := k.publish(ctx, key, map[string][]string{
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(revision, 10)},
		jetstream.MsgTTLHeader:              {markerTTL.String()},
		headerOperation:                     {"DEL"},
	}, nil)
	return err
}

func (k *KeyValue) publish(ctx context.Context, key string, header map[string][]string, value []byte) (uint64, error) {
	receipt, err := k.source.Publish(ctx, k.subject(key), header, value)
	switch {
	case err != nil:
		return 0, err
	case receipt.Stream != k.stream():
		return 0, fmt.Errorf("%w: the bucket %s is gone", bridge.ErrUnavailable, k.name)
	}
	return receipt.Position.Seq, nil
}
