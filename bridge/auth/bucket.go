package auth

import (
	"context"
	"fmt"
	"time"
)

// Bucket is the state of RevokedBucket.
type Bucket struct {
	Exists     bool   // a stream holds its keys
	Unreadable bool   // the keys cannot be read: revocations are unknown
	Problem    string // what is wrong with the bucket; "" if nothing is
	Remedy     string // the command that repairs the bucket, or creates it
}

// strayPatience is how long the bucket may stay unknown after a key has arrived: servers announce a new stream with a delay.
const strayPatience = 2 * time.Second

// inspection is what revocations know about their bucket. Their lock guards it.
type inspection struct {
	isInspected bool    // Config.Bucket is set
	bucket      *Bucket // nil until the state is known
	stray       string  // a key that arrived while there was no bucket; "" for none
	isReported  bool    // the stray was logged
}

// isComplete reports whether the keys that were read are all keys of the bucket. If the bucket exists, they must come from its
// stream: a subscription, as while the stream could not be read, brings new keys only. The lock must be held.
func (i *inspection) isComplete(stored bool) bool {
	return !i.isInspected || i.bucket != nil && !i.bucket.Unreadable && (stored || !i.bucket.Exists)
}

// note remembers a key that arrives while there is no bucket. Nothing stores such a key: it revokes only on bridges that run
// now, until they stop.
func (r *revocations) note(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isInspected && r.stray == "" && (r.bucket == nil || !r.bucket.Exists) {
		r.stray = key
		r.awaitBucket()
	}
}

// awaitBucket reports the stray if there is still no bucket in a while. The lock must be held.
func (r *revocations) awaitBucket() {
	if r.stray == "" || r.bucket == nil {
		return
	}
	r.reading.Go(func() {
		select {
		case <-time.After(strayPatience):
			r.reportStray()
		case <-r.ctx.Done():
		}
	})
}

// inspect follows the state of the bucket until ctx ends.
func (r *revocations) inspect(await func(context.Context, *Bucket) (Bucket, error)) {
	for bucket, err := await(r.ctx, nil); err == nil; bucket, err = await(r.ctx, &bucket) {
		r.judge(bucket)
	}
}

// judge records a new state of the bucket, and logs what an operator has to know.
func (r *revocations) judge(bucket Bucket) {
	r.mu.Lock()
	had := r.bucket
	r.bucket = &bucket
	if bucket.Exists {
		r.stray, r.isReported = "", false
	}
	r.awaitBucket()
	r.mu.Unlock()
	switch {
	case bucket.Unreadable:
		r.log.Error("all tokens are refused, because revocations cannot be read", "error", bucket.Problem, "remedy", bucket.Remedy)
	case bucket.Problem != "":
		r.log.Error("revocations may be lost", "error", bucket.Problem, "remedy", bucket.Remedy)
	case had != nil && had.Problem != "":
		r.log.Info("the bucket of revoked tokens is healthy again", "bucket", RevokedBucket)
	}
}

func (r *revocations) reportStray() {
	r.mu.Lock()
	isNews := r.stray != "" && !r.isReported
	r.isReported = r.isReported || isNews
	problem, remedy := r.strayProblem(), r.bucket.Remedy
	r.mu.Unlock()
	if isNews {
		r.log.Error(problem, "remedy", "create the bucket, and revoke again: "+remedy)
	}
}

// strayProblem describes a key that nothing stores. The lock must be held.
func (r *revocations) strayProblem() string {
	return fmt.Sprintf("the key %q was published to revoke tokens, but no bucket %s stores it: it revokes until this bridge stops, and not on bridges that start later", r.stray, RevokedBucket)
}

// problem returns what is wrong with the bucket; "" if nothing is known to be.
func (r *revocations) problem() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	switch {
	case r.isReported:
		return r.strayProblem()
	case r.bucket != nil:
		return r.bucket.Problem
	}
	return ""
}

// whyUnknown returns why revocations are not known.
func (r *revocations) whyUnknown() string {
	if problem := r.problem(); problem != "" {
		return problem
	}
	return "revocations have not been read from NATS yet"
}
