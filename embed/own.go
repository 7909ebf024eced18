package embed

// The bucket of the bridge's own.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ownTimeout is how long the server may take to make its bucket, or to take over an older one.
const ownTimeout = 30 * time.Second

// DialOwn is Dial for the account of the bridge's own bucket. Only a guarded server has one.
func (s *Server) DialOwn(options ...nats.Option) (*nats.Conn, error) {
	return s.dial([]nats.Option{s.config.logins.bridgeOwn.option()}, options)
}

// openOwn makes the bucket. Before there were credentials, a bucket of that name was in the account of all clients: its keys are
// taken over, once.
func (s *Server) openOwn() error {
	ctx, cancel := context.WithTimeout(context.Background(), ownTimeout)
	defer cancel()
	own, err := openStreams(s.DialOwn)
	if err != nil {
		return err
	}
	defer own.Conn().Close()
	bucket, err := openBucket(ctx, own, s.config.Bucket)
	if err != nil {
		return err
	}
	_, absent := os.Stat(filepath.Join(s.dir, adminFile))
	if err := s.takeOver(ctx, bucket, errors.Is(absent, os.ErrNotExist)); err != nil {
		return err
	}
	return s.writeContexts() // from now on, nothing is taken over
}

// openStreams connects to an account's JetStream. The caller closes the connection.
func openStreams(dial func(...nats.Option) (*nats.Conn, error)) (jetstream.JetStream, error) {
	conn, err := dial(nats.Name("tailwater own"))
	if err != nil {
		return nil, fmt.Errorf("sign in to the embedded server: %w", err)
	}
	return jetstream.New(conn)
}

func openBucket(ctx context.Context, js jetstream.JetStream, name string) (jetstream.KeyValue, error) {
	bucket, err := js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		bucket, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: name})
	}
	if err != nil {
		return nil, fmt.Errorf("make the bucket %s in the account %s: %w", name, ownAccount, err)
	}
	return bucket, nil
}

// takeOver copies the keys of an older bucket, and deletes that bucket: otherwise a key deleted later would come back. A bucket
// that was made after the credentials is only logged.
func (s *Server) takeOver(ctx context.Context, into jetstream.KeyValue, isFirst bool) error {
	js, err := openStreams(s.Dial)
	if err != nil {
		return err
	}
	defer js.Conn().Close()
	name, keys := into.Bucket(), 0
	older, err := js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil
	}
	if err == nil && !isFirst {
		s.log.Error("a bucket is ignored: the bridge reads the one of the same name in its own account", "bucket", name,
			"remedy", "put its keys there with the context "+s.AdminContext()+"; start once without TAILWATER_AUTH_… and delete its stream: nats stream rm -f KV_"+name)
		return nil
	}
	if err == nil {
		keys, err = copyKeys(ctx, older, into)
	}
	if err == nil {
		err = js.DeleteKeyValue(ctx, name)
	}
	if err != nil {
		return fmt.Errorf("take over the bucket %s, which everybody could write: %w; if nothing of it is needed, start once without TAILWATER_AUTH_… and delete its stream: nats stream rm -f KV_%[1]s", name, err)
	}
	s.log.Warn("a bucket was taken over that every client could write; check its keys", "bucket", name, "keys", keys)
	return nil
}

func copyKeys(ctx context.Context, from, into jetstream.KeyValue) (int, error) {
	all, err := from.Keys(ctx, jetstream.IgnoreDeletes())
	if errors.Is(err, jetstream.ErrNoKeysFound) {
		return 0, nil
	}
	for _, key := range all {
		if err == nil {
			_, err = into.Put(ctx, key, nil)
		}
	}
	return len(all), err
}
