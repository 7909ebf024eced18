package source

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// KeyValue is a bucket that bridges write by compare-and-set.
type KeyValue struct {
	*catalog.KeyValue
	source *Source
}

// KeyValue returns the bucket of that name: see catalog.Table.
func (s *Source) KeyValue(name string, replicas int) *KeyValue {
	return &KeyValue{s.table.KeyValue(name, replicas), s}
}

// Put writes a value, if the key's newest revision is the given one. Otherwise the error wraps bridge.ErrConflict. NATS removes
// the value after ttl; 0 for never.
func (k *KeyValue) Put(ctx context.Context, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error) {
	header := map[string][]string{jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(revision, 10)}}
	if ttl > 0 {
		header[jetstream.MsgTTLHeader] = []string{ttl.String()}
	}
	return k.publish(ctx, key, header, value)
}

// Delete removes a value, if its revision is the given one. Otherwise the error wraps bridge.ErrConflict.
func (k *KeyValue) Delete(ctx context.Context, key string, revision uint64) error {
	_, err := k.publish(ctx, key, map[string][]string{
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(revision, 10)},
		jetstream.MsgTTLHeader:              {catalog.MarkerTTL.String()},
		js.HeaderOperation:                  {"DEL"},
	}, nil)
	return err
}

func (k *KeyValue) publish(ctx context.Context, key string, header map[string][]string, value []byte) (uint64, error) {
	receipt, err := k.source.Publish(ctx, k.Subject(key), header, value)
	switch {
	case err != nil:
		return 0, err
	case receipt.Stream != k.Stream():
		return 0, fmt.Errorf("%w: the stream %s is gone", bridge.ErrUnavailable, k.Stream())
	}
	return receipt.Position.Seq, nil
}
