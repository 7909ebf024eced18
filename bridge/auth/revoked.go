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

// RevokedBucket is the NATS key-value bucket of revocations. The key `jti.<jti>` revokes one token, `sub.<sub>` every token of a
// caller. Names that a key cannot contain are written in base64url, with or without padding, behind `jti64.` or `sub64.`. The
// values are ignored. Without the bucket nothing is revoked.
const RevokedBucket = "tailwater_revoked"

// RevokedFilter matches the subjects of RevokedBucket.
const RevokedFilter bridge.Subject = "$KV." + RevokedBucket + ".>"

// revocations holds the keys of the bucket. It reads them as a browser would read any bucket: through the hub, beginning with the
// newest value of each key. So after an outage of NATS or of this process it resumes, or is told to begin again.
type revocations struct {
	hub     *bridge.Hub
	changed func()
	log     *slog.Logger
	ctx     context.Context // until close
	cancel  context.CancelFunc
	reading sync.WaitGroup

	mu     sync.RWMutex
	keys   map[string]bool
	known  bool // keys has been read once
	stored bool // keys comes from a stream
	inspection
}

func follow(hub *bridge.Hub, changed func(), config Config) *revocations {
	r := &revocations{hub: hub, changed: changed, log: config.Log, inspection: inspection{isInspected: config.Bucket != nil}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	if config.Bucket != nil {
		r.reading.Go(func() { r.inspect(config.Bucket) })
	}
	r.reading.Go(func() {
		for r.read() {
		}
	})
	return r
}

func (r *revocations) close() {
	r.cancel()
	r.reading.Wait()
}

// ask reports whether a caller is revoked, and whether that is known.
func (r *revocations) ask(caller bridge.Caller) (revoked, known bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	known = r.known && r.isComplete(r.stored)
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

// read reads the bucket from its beginning and follows it until a gap or a reset. Earlier revocations stay in force until the
// beginning was read again. It returns false after close, or if the hub is closed.
func (r *revocations) read() bool {
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
			r.replace(keys, reader.Stored())
		}
		if len(frames) > 0 {
			continue
		}
		select {
		case <-more:
		case <-r.ctx.Done():
			return false
		}
	}
}

// readBytes is how many bytes of events are read at once.
const readBytes = 256 << 10

// apply changes keys as one event says. It returns false for a gap or a reset.
func (r *revocations) apply(keys map[string]bool, frame []byte) bool {
	var event struct{ Subject, Event, Data string }
	if json.Unmarshal(frame, &event) != nil {
		return true // cannot happen: events are JSON, whatever the values are
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
			r.warnIfUseless(key)
			r.note(key)
		}
	}
	return true
}

// keyIn returns the key that a subject stands for.
func keyIn(subject string) string {
	key := strings.TrimPrefix(subject, strings.TrimSuffix(string(RevokedFilter), ">"))
	if strings.HasPrefix(key, "sub64.") || strings.HasPrefix(key, "jti64.") {
		key = strings.TrimRight(key, "=")
	}
	return key
}

// warnIfUseless logs a key that revokes nothing, although somebody wrote it to revoke.
func (r *revocations) warnIfUseless(key string) {
	for _, prefix := range []string{"sub.", "jti.", "sub64.", "jti64."} {
		if strings.HasPrefix(key, prefix) {
			return
		}
	}
	r.log.Warn("a key revokes nothing; write jti.<jti> or sub.<sub>, or jti64.… or sub64.… in base64url", "bucket", RevokedBucket, "key", key)
}

// replace puts other keys in force.
func (r *revocations) replace(keys map[string]bool, stored bool) {
	r.mu.Lock()
	r.keys, r.known, r.stored = maps.Clone(keys), true, stored
	r.mu.Unlock()
	r.changed()
}
