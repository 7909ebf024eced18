package auth

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tailwater/tailwater/bridge"
)

const (
	// MaxToken is how many bytes a token may have. It travels with each request, in a header.
	MaxToken = 8 << 10
	// leeway is how far the clock of whoever makes tokens may be ahead of this one.
	leeway = 5 * time.Second
)

// lineEnds are passed over by Go's base64, strict or not. A token or ticket that holds some would be another spelling of one.
const lineEnds = "\r\n"

// Config says which tokens are good: those signed with the one of Secret, PublicKeys and JWKS that is there.
type Config struct {
	Secret     string             // for HS256, HS384 and HS512; at least MinSecret bytes
	PublicKeys []crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey; a token may be of any of them
	JWKS       string             // the URL of a JSON Web Key Set (RFC 7517)
	Proxy      *url.URL           // through which that is read; nil for none. The environment names none

	MaxLife time.Duration // how long a token may be good from now on; 0 for any time

	Issuer   string // the `iss` that tokens must have; empty for any
	Audience string // what must be among their `aud`; empty for any

	// Bucket waits until what there is of RevokedBucket differs from was, where nil stands for nothing that was known, and returns that.
	// An error means that ctx has ended, or that there is no more to come. Nil: the bucket is taken to be sound.
	Bucket func(ctx context.Context, was *Bucket) (Bucket, error)

	TicketSecret string // what tickets are sealed with, the same on every node; empty for none in URLs. At least MinSecret bytes
	Log          *slog.Logger
}

// MinSecret is how many bytes a secret must have: as many as the hash that it keys (RFC 7518, 3.2).
const MinSecret = 32

// Auth checks tokens.
type Auth struct {
	config  Config
	keys    keys
	parser  *jwt.Parser
	seal    *seal // nil where there is no secret to seal with
	revoked *revocations
}

// Open begins to read which tokens are revoked, through the hub, and calls changed whenever there are others than before.
// Close it before the hub.
func Open(config Config, hub *bridge.Hub, changed func()) (*Auth, error) {
	a := &Auth{config: config, parser: newParser(config)}
	var err error
	if a.seal, err = openSeal(config); err != nil {
		return nil, err
	}
	if a.keys, err = openKeys(config); err != nil {
		return nil, err
	}
	a.revoked = follow(hub, changed, config)
	return a, nil
}

// Close ends what Open began.
func (a *Auth) Close() {
	a.revoked.close()
	a.keys.close()
}

func newParser(config Config) *jwt.Parser {
	options := []jwt.ParserOption{jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithStrictDecoding()}
	if config.Issuer != "" {
		options = append(options, jwt.WithIssuer(config.Issuer))
	}
	if config.Audience != "" {
		options = append(options, jwt.WithAudience(config.Audience))
	}
	return jwt.NewParser(options...)
}

// Token gives the caller whom a token names. The error wraps bridge.ErrToken and says what is wrong, or bridge.ErrNoVerdict
// where that may be different in a moment. It never holds the token.
func (a *Auth) Token(ctx context.Context, token string) (bridge.Caller, error) {
	claims, err := a.verify(ctx, token)
	if err != nil {
		return bridge.Caller{}, err
	}
	caller, err := callerOf(claims)
	if err != nil {
		return bridge.Caller{}, fmt.Errorf("%w: %w", bridge.ErrToken, err)
	}
	// The leeway is for clocks that are ahead, but a connection of an expired token would end as it began.
	if !caller.Until.After(time.Now()) {
		return bridge.Caller{}, a.reason(jwt.ErrTokenExpired, claims)
	}
	revoked, known := a.revoked.ask(caller)
	switch {
	case !known:
		return bridge.Caller{}, fmt.Errorf("%w: %s", bridge.ErrNoVerdict, a.revoked.ignorance())
	case revoked:
		return bridge.Caller{}, fmt.Errorf("%w: the token was revoked; sign in again for another", bridge.ErrToken)
	}
	return caller, nil
}

// Ready tells whether it is known which tokens are revoked; until then none is good.
func (a *Auth) Ready() bool {
	_, known := a.revoked.ask(bridge.Caller{})
	return known
}

// Problem returns what is wrong with RevokedBucket, as far as is known; "" for nothing.
func (a *Auth) Problem() string { return a.revoked.trouble() }

// Revoked tells whether the caller's token was revoked, as far as is known.
func (a *Auth) Revoked(caller bridge.Caller) bool {
	revoked, _ := a.revoked.ask(caller)
	return revoked
}

// verify gives the claims of a token whose signature and times are good.
func (a *Auth) verify(ctx context.Context, token string) (jwt.MapClaims, error) {
	if len(token) > MaxToken {
		return nil, fmt.Errorf("%w: the token has %d bytes; at most %d are allowed", bridge.ErrToken, len(token), MaxToken)
	}
	if strings.ContainsAny(token, lineEnds) {
		return nil, a.reason(jwt.ErrTokenMalformed, nil)
	}
	if err := checkParts(token); err != nil {
		return nil, a.reason(err, nil)
	}
	claims := jwt.MapClaims{}
	_, err := a.parser.ParseWithClaims(token, claims, func(unverified *jwt.Token) (any, error) {
		return a.keyOf(ctx, unverified)
	})
	if err == nil {
		err = a.checkLife(claims)
	}
	if err != nil {
		return nil, a.reason(err, claims)
	}
	return claims, nil
}

// reason puts into words why a token is no good. Of what the token says only times are repeated.
func (a *Auth) reason(err error, claims jwt.MapClaims) error {
	var why error
	var known keyError
	var unknown undecided
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: %s", bridge.ErrNoVerdict, unknown)
	case errors.As(err, &known):
		why = known
	case errors.Is(err, errTwice):
		why = fmt.Errorf("the token %w; its signer has to write each name once", errTwice)
	case errors.Is(err, jwt.ErrTokenMalformed):
		why = errors.New("the token is no JWT: three parts in base64url, joined by dots, of which the first two are JSON")
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		why = errors.New("the token's alg is none that this bridge knows")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		why = errors.New("the token's signature is not of a key that this bridge has; it was made with another, or changed since")
	default:
		why = a.claimsReason(err, claims)
	}
	return fmt.Errorf("%w: %w", bridge.ErrToken, why)
}

// claimsReason puts into words what is wrong with the claims of a token whose signature is good. Each reason names the claim
// that it is about.
func (a *Auth) claimsReason(err error, claims jwt.MapClaims) error {
	var life lifeError
	wrong := a.wrongType(claims)
	switch {
	case wrong != nil:
		return wrong
	case errors.As(err, &life):
		return life
	case errors.Is(err, jwt.ErrTokenExpired):
		return fmt.Errorf("the token has expired%s; sign in again for another", when(claims.GetExpirationTime()))
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return fmt.Errorf("the token is not valid yet: its nbf is ahead%s; compare the clocks", when(claims.GetNotBefore()))
	case claims["exp"] == nil:
		return errors.New("the token has no exp; tokens that never expire are not taken")
	case a.config.Issuer != "" && claims["iss"] != a.config.Issuer:
		return errors.New("the token's iss is not the issuer that this bridge takes tokens from")
	default:
		return errors.New("the token's aud does not name this bridge: it is for somebody else")
	}
}

// wrongType returns what is wrong with the first claim of another type than it should have (RFC 7519, 4.1), of those that are
// looked at; nil where there is none. One that is absent, or null, has no type.
func (a *Auth) wrongType(claims jwt.MapClaims) error {
	for _, name := range []string{"exp", "nbf"} {
		switch value := claims[name].(type) {
		case nil:
		case float64:
			if value == 0 && name == "exp" { // to the library it is absent
				return errors.New("the token's exp is 0, which is long ago; sign in again for another")
			}
			if value < firstTime || value > lastTime {
				return fmt.Errorf("the token's %s is no time before the year 10000: it is the seconds since 1970, and not milliseconds", name)
			}
		default:
			return fmt.Errorf("the token's %s is no number; it is the seconds since 1970", name)
		}
	}
	if _, isText := claims["iss"].(string); a.config.Issuer != "" && claims["iss"] != nil && !isText {
		return errors.New("the token's iss is no string")
	}
	if a.config.Audience != "" && !isAudience(claims["aud"]) {
		return errors.New("the token's aud is neither a string nor a list of strings")
	}
	return nil
}

func isAudience(claim any) bool {
	switch value := claim.(type) {
	case nil, string:
		return true
	case []any:
		return !slices.ContainsFunc(value, func(name any) bool {
			_, isText := name.(string)
			return !isText
		})
	}
	return false
}

func when(at *jwt.NumericDate, err error) string {
	if err != nil || at == nil {
		return ""
	}
	return " (" + at.UTC().Format(time.RFC3339) + ")"
}
