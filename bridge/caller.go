package bridge

import "time"

// Caller is who sent a request. The zero value is nobody in particular: a request without a token.
type Caller struct {
	Name   string            // who it is: unique among callers, and to be counted by; the token's `sub`. Empty for anonymous
	Token  string            // the token's own name, its `jti`; may be empty
	Grant  Grant             // what the token allows, beside what everyone may
	Until  time.Time         // when the token expires
	Claims map[string]string // the token's claims that are strings, for routes with {claim.…}
}

// Anonymous tells a request without a token.
func (c Caller) Anonymous() bool { return c.Name == "" }

// Terms are how long a connection may stay open. The zero value sets no end to it.
type Terms struct {
	// Until ends it, where it is not zero: the caller's token expires then.
	Until time.Time
	// Revoked tells whether the caller's token is good no more. It is asked when the connection begins, and whenever
	// revocations have changed, and must not wait for anything. Nil: it cannot be revoked.
	Revoked func() bool
	// Ended is called once, when the connection has ended. isDead says that its client had taken nothing for the write timeout. May be nil.
	Ended func(isDead bool)
}

// Visitor is somebody who opens a connection, for those who keep the members of subjects.
type Visitor struct {
	Name    string  // empty: the connection is counted, and nobody named
	Sub     string  // by the caller's token; empty: anybody may have taken the name
	Account Account // whom limits are for; 0 for nobody
}
