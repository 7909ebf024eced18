package presence

import (
	"context"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// Store is the bucket. After errors other than bridge.ErrConflict and bridge.ErrNoBucket, the outcome of the call is unknown.
type Store interface {
	// Prepare makes the bucket, if there is none. The error wraps bridge.ErrNoBucket if there cannot be one.
	Prepare(ctx context.Context) error
	// Get returns the value of a key, according to the stream's leader, and its revision; 0 if there is no value.
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Put writes a value, if the newest revision is the given one; otherwise the error wraps bridge.ErrConflict, as for Delete.
	// The value is removed after ttl, 0 for never.
	Put(ctx context.Context, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error)
	// Delete removes a value, if its revision is the given one.
	Delete(ctx context.Context, key string, revision uint64) error
	// Each calls do with the newest value of every key that matches a filter.
	Each(ctx context.Context, filter bridge.Subject, do func(key string, value []byte)) error
	// Watch calls do with every new value of every key, nil if the key was deleted, until the context ends. It may miss some.
	Watch(ctx context.Context, do func(key string, value []byte)) error
}
