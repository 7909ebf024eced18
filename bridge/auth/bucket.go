package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Bucket is what there is of RevokedBucket.
type Bucket struct {
	Exists  bool   // something holds its keys
	Unread  bool   // they cannot be read: what is revoked is not known
	Problem string // what is wrong with it; "" for nothing
	Remedy  string // what repairs it; where there is no bucket, what makes it
}

// strayPatience is how long the bucket may take to be found after a key came: a server tells of a stream some time later.
const strayPatience = 2 * time.Second

// inspection is what revocations know of their bucket, under their lock.
type inspection struct {
	isInspected bool               // the bucket is looked at
	bucket      *Bucket            // nil while it is not known
	stray       string             // a key that came although there is no bucket; "" for none
	isTold      bool               // of the stray, because no bucket was found since
	interrupt   context.CancelFunc // lets inspect look at the stray
}

func (i *inspection) begin(bucket func(context.Context, *Bucket) (Bucket, error)) {
	i.isInspected, i.interrupt = bucket != nil, func() {}
}

// isSound reports whether keys can be known, and those that were read are all that there were. Where there is a bucket, that takes a
// stream: what is only heard as it is published, as while the bucket could not be read, says nothing of what it holds. The lock must be held.
func (i *inspection) isSound(stored bool) bool {
	return !i.isInspected || i.bucket != nil && !i.bucket.Unread && (stored || !i.bucket.Exists)
}

// note takes a key that came. Without a bucket nothing keeps it: it revokes on those bridges alone that run now, until they end.
func (r *revocations) note(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isInspected && r.stray == "" && (r.bucket == nil || !r.bucket.Exists) {
		r.stray = key
		r.interrupt()
	}
}

// inspect keeps an eye on the bucket until ctx ends.
func (r *revocations) inspect(ctx context.Context, await func(context.Context, *Bucket) (Bucket, error)) {
	for ctx.Err() == nil {
		wait, was := r.until(ctx)
		bucket, err := await(wait, was)
		late := errors.Is(wait.Err(), context.DeadlineExceeded)
		interrupted := wait.Err() != nil
		r.interrupt()
		switch {
		case err == nil:
			r.judge(bucket)
		case late:
			r.tellStray()
		case !interrupted:
			return // there is no more to come
		}
	}
}

// until returns how long inspect waits for news, and what is known.
func (r *revocations) until(ctx context.Context) (wait context.Context, was *Bucket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stray != "" && !r.isTold && r.bucket != nil {
		wait, r.interrupt = context.WithTimeout(ctx, strayPatience)
	} else {
		wait, r.interrupt = context.WithCancel(ctx)
	}
	return wait, r.bucket
}

// judge takes what is known now.
func (r *revocations) judge(bucket Bucket) {
	r.mu.Lock()
	had := r.bucket
	r.bucket = &bucket
	if bucket.Exists {
		r.stray, r.isTold = "", false
	}
	r.mu.Unlock()
	switch {
	case bucket.Unread:
		r.log.Error("no token is taken: which ones are revoked cannot be known", "error", bucket.Problem, "remedy", bucket.Remedy)
	case bucket.Problem != "":
		r.log.Error("tokens may not stay revoked", "error", bucket.Problem, "remedy", bucket.Remedy)
	case had != nil && had.Problem != "":
		r.log.Info("nothing is wrong with the bucket of revoked tokens any more", "bucket", RevokedBucket)
	}
}

func (r *revocations) tellStray() {
	r.mu.Lock()
	r.isTold = true
	problem, remedy := r.strayProblem(), r.bucket.Remedy
	r.mu.Unlock()
	r.log.Error(problem, "remedy", "make the bucket, and revoke again: "+remedy)
}

// strayProblem says that a key came that nothing keeps. The lock must be held.
func (r *revocations) strayProblem() string {
	return fmt.Sprintf("the key %q was published to revoke tokens, and there is no bucket %s to keep it: it holds until this bridge stops, and on no bridge that starts later", r.stray, RevokedBucket)
}

// trouble returns what is wrong with the bucket; "" for nothing.
func (r *revocations) trouble() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	switch {
	case r.isTold:
		return r.strayProblem()
	case r.bucket != nil:
		return r.bucket.Problem
	}
	return ""
}

// ignorance says why it is not known which tokens are revoked.
func (r *revocations) ignorance() string {
	if problem := r.trouble(); problem != "" {
		return problem
	}
	return "which ones are revoked has not been read from NATS yet"
}
