package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"strings"
	"sync"

	"github.com/tailwater/tailwater/bridge"
)

// RevokedBucket is the bucket of NATS's key-value store that says which tokens are good no more. The key `jti.<jti>` revokes
// one token, `sub.<sub>` all of a caller; what a key cannot hold is written as `jti64.` or `sub64.` and base64url, with or
// without padding. Values mean nothing. Without the bucket nothing is revoked.
const RevokedBucket = "tailwater_revoked"

// RevokedFilter is what the bridge reads for it.
const RevokedFilter bridge.Subject = "$KV." + RevokedBucket + ".>"

// revocations is the bucket's keys, as they are. It reads them as a browser would read any bucket: from the hub, the newest
// of each key first. So it misses nothing, whether NATS was away or this process was, or is told so, and begins again.
type revocations struct {
	hub     *bridge.Hub
	changed func()
	log     *slog.Logger
	cancel  context.CancelFunc
	reading sync.WaitGroup

	mu     sync.RWMutex
	keys   map[string]bool
	known  bool // they were read once
	stored bool // from a stream
	inspection
}

func follow(hub *bridge.Hub, changed func(), config Config) *revocations {
	r := &revocations{hub: hub, changed: changed, log: config.Log}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.inspection.begin(config.Bucket)
	if config.Bucket != nil {
		r.reading.Go(func() { r.inspect(ctx, config.Bucket) })
	}
	r.reading.Go(func() {
		for r.read(ctx) {
		}
	})
	return r
}

func (r *revocations) close() {
	r.cancel()
	r.reading.Wait()
}

// ask tells whether a caller is revoked, and whether that is known.
func (r *revocations) ask(caller bridge.Caller) (revoked, known bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	known = r.known && r.isSound(r.stored)
	if len(r.keys) == 0 {
		return false, known
	}
	name, token := base64.RawURLEncoding.EncodeToString([]byte(caller.Name)), base64.RawURLEncoding.EncodeToString([]byte(caller.Token))
	revoked = r.keys["sub."+caller.Name] || r.keys["sub64."+name]
	if caller.Token != "" {
		revoked = revoked || r.keys["jti."+caller.Token] || r.keys["jti64."+token]
	}
	return revoked, known
}

// read reads the bucket from its beginning, until it is another, or something is missing. What was revoked stays so until
// the new beginning is read. It reports false when ctx has ended, or the hub is closed.
func (r *revocations) read(ctx context.Context) bool {
	reader, err := r.hub.Read([]bridge.Subject{RevokedFilter}, bridge.Framing{Format: bridge.Lines}, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceLast}})
	if err != nil {
		return false
	}
	defer reader.Close()
	keys, isFirst := map[string]bool{}, true
	more := bridge.NewSignal()
	for {
		frames := reader.Next(nil, readBytes, more)
		for _, frame := range frames {
			if !r.apply(keys, frame) && !isFirst {
				return true
			}
			isFirst = false
		}
		if len(frames) > 0 && reader.Synced() {
			r.publish(keys, reader.Stored())
		}
		if len(frames) > 0 {
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			return false
		}
	}
}

// readBytes is how much of the bucket is looked at in one go.
const readBytes = 256 << 10

// apply puts one event into the keys. It reports false where others are missing before it.
func (r *revocations) apply(keys map[string]bool, frame []byte) bool {
	var event struct{ Subject, Event, Data string }
	if json.Unmarshal(frame, &event) != nil {
		return true // a message's value, of which nothing is needed, is always in JSON; this cannot be
	}
	switch event.Event {
	case bridge.EventGap, bridge.EventReset:
		return false
	case bridge.EventDelete:
		var deleted struct{ Subject string }
		_ = json.Unmarshal([]byte(event.Data), &deleted)
		delete(keys, keyIn(deleted.Subject))
	default:
		if event.Subject != "" {
			key := keyIn(event.Subject)
			keys[key] = true
			r.look(key)
			r.note(key)
		}
	}
	return true
}

// keyIn gives the key that a subject stands for.
func keyIn(subject string) string {
	key := strings.TrimPrefix(subject, strings.TrimSuffix(string(RevokedFilter), ">"))
	if strings.HasPrefix(key, "sub64.") || strings.HasPrefix(key, "jti64.") {
		key = strings.TrimRight(key, "=")
	}
	return key
}

// look warns of a key that revokes nothing, although somebody believes so.
func (r *revocations) look(key string) {
	for _, prefix := range []string{"sub.", "jti.", "sub64.", "jti64."} {
		if strings.HasPrefix(key, prefix) {
			return
		}
	}
	r.log.Warn("a key revokes nothing; write jti.<jti> or sub.<sub>, or jti64. and sub64. with base64url", "bucket", RevokedBucket, "key", key)
}

// publish lets all know what is revoked.
func (r *revocations) publish(keys map[string]bool, stored bool) {
	r.mu.Lock()
	r.keys, r.known, r.stored = maps.Clone(keys), true, stored
	r.mu.Unlock()
	r.changed()
}
