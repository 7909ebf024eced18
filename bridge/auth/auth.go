package auth

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tailwater/tailwater/bridge"
)

const (
	// MaxToken is the size of the largest token, in bytes. Each request carries it in a header.
	MaxToken = 8 << 10
	// leeway is how far the signer's clock may be ahead of this one.
	leeway = 5 * time.Second
)

// lineEnds are characters that Go's base64 skips, in strict mode too: with them one token or ticket would have many spellings.
const lineEnds = "\r\n"

// Config says which tokens are valid. Exactly one of Secret, PublicKeys and JWKS is set; it verifies the signatures.
type Config struct {
	Secret     string             // for HS256, HS384 and HS512; at least MinSecret bytes
	PublicKeys []crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey; any of them may have signed a token
	JWKS       string             // the URL of a JSON Web Key Set (RFC 7517)
	Proxy      *url.URL           // for reading JWKS; nil for none. HTTPS_PROXY and the like are ignored

	MaxLife time.Duration // the longest time until a token expires; 0 for no limit

	Issuer   string // the `iss` that tokens must have; empty accepts any
	Audience string // a value that `aud` must contain; empty accepts any

	// Bucket waits until the state of RevokedBucket differs from was, and returns the new state. was is nil at the first call.
	// An error means that ctx has ended, or that no further state will come. If Bucket is nil, the bucket counts as healthy.
	Bucket func(ctx context.Context, was *Bucket) (Bucket, error)

	TicketSecret string // seals tickets, the same on every bridge; at least MinSecret bytes. If empty, URLs cannot carry tickets
	Log          *slog.Logger
}

// MinSecret is the size of the shortest secret, in bytes: that of the hash it is used with (RFC 7518, 3.2).
const MinSecret = 32

// Auth checks tokens.
type Auth struct {
	config  Config
	keys    keys
	parser  *jwt.Parser
	seal    *seal // nil if there is no secret
	revoked *revocations
}

// Open returns an Auth that reads revocations through the hub, and calls changed whenever they change. Close the Auth before
// the hub.
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

// Close stops reading revocations and keys, and returns when that has ended.
func (a *Auth) Close() {
	a.revoked.close()
	a.keys.close()
}

func newParser(config Config) *jwt.Parser {
	options := []jwt.ParserOption{jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithStrictDecoding(), jwt.WithIssuer(config.Issuer)}
	if config.Audience != "" {
		options = append(options, jwt.WithAudience(config.Audience))
	}
	return jwt.NewParser(options...)
}

// Token returns the caller that a token names. An invalid token is bridge.ErrToken, with the reason. If the token cannot be
// checked yet, the error is bridge.ErrNoVerdict. No error contains the token.
func (a *Auth) Token(ctx context.Context, token string) (bridge.Caller, error) {
	claims, err := a.verify(ctx, token)
	if err != nil {
		return bridge.Caller{}, err
	}
	caller, err := callerOf(claims)
	if err != nil {
		return bridge.Caller{}, fmt.Errorf("%w: %w", bridge.ErrToken, err)
	}
	// The leeway is for clocks that are ahead. The connection of an expired token would end at once.
	if !caller.Until.After(time.Now()) {
		return bridge.Caller{}, a.reason(jwt.ErrTokenExpired, claims)
	}
	revoked, known := a.revoked.ask(caller)
	switch {
	case !known:
		return bridge.Caller{}, fmt.Errorf("%w: %s", bridge.ErrNoVerdict, a.revoked.whyUnknown())
	case revoked:
		return bridge.Caller{}, fmt.Errorf("%w: the token was revoked; sign in again", bridge.ErrToken)
	}
	return caller, nil
}

// Ticket returns the caller that a ticket's token names. Errors are as of Token.
func (a *Auth) Ticket(ctx context.Context, ticket string) (bridge.Caller, error) {
	token, ok := "", false
	if a.seal != nil {
		token, ok = a.seal.open(ticket)
	}
	if !ok {
		return bridge.Caller{}, fmt.Errorf("%w: the ticket is invalid: this bridge did not make it, or it was changed; get another by POST /session", bridge.ErrToken)
	}
	return a.Token(ctx, token)
}

// Ready reports whether revocations have been read. Until then no token is accepted.
func (a *Auth) Ready() bool {
	_, known := a.revoked.ask(bridge.Caller{})
	return known
}

// Problem returns what is wrong with RevokedBucket; "" if nothing is known to be.
func (a *Auth) Problem() string { return a.revoked.problem() }

// Revoked reports whether the caller's token is known to be revoked.
func (a *Auth) Revoked(caller bridge.Caller) bool {
	revoked, _ := a.revoked.ask(caller)
	return revoked
}

// verify returns the claims of a token, after checking its signature and times.
func (a *Auth) verify(ctx context.Context, token string) (jwt.MapClaims, error) {
	if len(token) > MaxToken {
		return nil, fmt.Errorf("%w: the token has %d bytes; at most %d are allowed", bridge.ErrToken, len(token), MaxToken)
	}
	if strings.ContainsAny(token, lineEnds) {
		return nil, a.reason(jwt.ErrTokenMalformed, nil)
	}
	if err := checkSegments(token); err != nil {
		return nil, a.reason(err, nil)
	}
	claims := jwt.MapClaims{}
	_, err := a.parser.ParseWithClaims(token, claims, func(unverified *jwt.Token) (any, error) {
		return a.keyOf(ctx, unverified)
	})
	if err == nil {
		err = a.checkTimes(claims)
	}
	if err != nil {
		return nil, a.reason(err, claims)
	}
	return claims, nil
}

// reason returns the error for an invalid token. It repeats nothing from the token but times.
func (a *Auth) reason(err error, claims jwt.MapClaims) error {
	var why error
	var known refusal
	var unknown undecided
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: %s", bridge.ErrNoVerdict, unknown)
	case errors.As(err, &known):
		why = known
	case errors.Is(err, errTwice):
		why = fmt.Errorf("the token %w; its signer has to write each name once", errTwice)
	case errors.Is(err, jwt.ErrTokenMalformed):
		why = errors.New("the token is not a JWT: three segments in base64url, joined by dots, of which the first two are JSON")
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		why = errors.New("the token's alg is unknown to this bridge")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		why = errors.New("the token's signature does not match this bridge's keys: another key signed it, or the token was changed")
	default:
		why = a.claimsReason(err, claims)
	}
	return fmt.Errorf("%w: %w", bridge.ErrToken, why)
}

// claimsReason returns what is wrong with the claims of a token with a valid signature. Each reason names the claim.
func (a *Auth) claimsReason(err error, claims jwt.MapClaims) error {
	wrong := a.wrongType(claims)
	switch {
	case wrong != nil:
		return wrong
	case errors.Is(err, jwt.ErrTokenExpired):
		return fmt.Errorf("the token has expired%s; sign in again", when(claims.GetExpirationTime()))
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return fmt.Errorf("the token is not valid yet: its nbf is in the future%s; compare the clocks", when(claims.GetNotBefore()))
	case claims["exp"] == nil:
		return errors.New("the token has no exp; tokens must expire")
	case a.config.Issuer != "" && claims["iss"] != a.config.Issuer:
		return errors.New("the token's iss is not the issuer that this bridge accepts")
	default:
		return errors.New("the token's aud does not name this bridge: the token is for another audience")
	}
}

// when repeats a time, which wrongType has found to be one.
func when(at *jwt.NumericDate, _ error) string {
	return " (" + at.UTC().Format(time.RFC3339) + ")"
}

func openKeys(config Config) (keys, error) {
	switch {
	case config.JWKS != "":
		return openJWKS(config), nil
	case len(config.PublicKeys) > 0:
		var all fixed
		for _, public := range config.PublicKeys {
			k, err := newKey(public)
			if err != nil {
				return nil, err
			}
			all = append(all, k)
		}
		return all, nil
	case len(config.Secret) >= MinSecret:
		return fixed{{algs: []string{"HS256", "HS384", "HS512"}, value: []byte(config.Secret)}}, nil
	}
	return nil, errSecret("the secret for tokens", config.Secret)
}
