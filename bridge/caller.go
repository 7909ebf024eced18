package bridge

import (
	"net/netip"
	"time"
)

// Caller is the sender of a request. The zero value is anonymous: a request without a token.
type Caller struct {
	Name   string            // unique among callers, used for limits; the token's `sub`. Empty if anonymous
	Token  string            // the token's id, its `jti`; may be empty
	Grant  Grant             // what the token allows, in addition to what anyone may
	Until  time.Time         // when the token expires
	Claims map[string]string // the token's claims that are strings, for routes with {claim.…}
}

// Anonymous reports whether the request had no token.
func (c Caller) Anonymous() bool { return c.Name == "" }

// Lifetime says how long a connection may stay open, and whose it is. The zero value sets no end, and is nobody's.
type Lifetime struct {
	// Caller is the Name of the connection's caller; empty if anonymous.
	Caller string
	// Address is where the request came from, behind trusted proxies; the zero value if that is unknown.
	Address netip.Addr
	// Until is when the caller's token expires; zero for never.
	Until time.Time
	// Revoked reports whether the caller's token has been revoked. It is called when the connection begins, and whenever revocations have
	// changed, and must not block. If it is nil, the token cannot be revoked.
	Revoked func() bool
	// Ended is called once, when the connection has ended. isDead means that its client had received nothing for the write timeout. Ended may be nil.
	Ended func(isDead bool)
}

// Visitor describes the client of a connection, for the lists of members.
type Visitor struct {
	Name    string  // if empty, the connection is counted without a name
	Sub     string  // the sub of the caller's token; if empty, anybody may have chosen the name
	Account Account // the account that limits count for; 0 for none
}
