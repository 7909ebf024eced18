package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// keys finds the keys that signatures are checked with.
type keys interface {
	// find returns the keys that may have signed a token with that key id. The error is a refusal, or undecided.
	find(ctx context.Context, id string) ([]key, error)
	close()
}

// key is a key with the algorithms it may be used with, whatever a token asks for: if a public key were used as the secret of an
// HMAC, everyone could sign tokens.
type key struct {
	id    string // `kid`; empty if it has none
	algs  []string
	value any // as package jwt wants it
}

// refusal is why a token is invalid, in words that repeat nothing of it but times.
type refusal string

func (r refusal) Error() string { return string(r) }

// undecided is why it is not known yet whether a key fits a token.
type undecided string

func (u undecided) Error() string { return string(u) }

func errSecret(what, secret string) error {
	return fmt.Errorf("%s has %d bytes; it needs at least %d", what, len(secret), MinSecret)
}

// minRSA is the size of the smallest RSA key that RFC 7518, 3.3, allows, in bits.
const minRSA = 2048

// newKey returns a public key with the algorithms it may be used with.
func newKey(public crypto.PublicKey) (key, error) {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < minRSA {
			return key{}, fmt.Errorf("an RSA key of %d bits is too short; at least %d are needed", public.N.BitLen(), minRSA)
		}
		return key{algs: []string{"RS256", "RS384", "RS512"}, value: public}, nil
	case *ecdsa.PublicKey:
		alg := map[elliptic.Curve]string{elliptic.P256(): "ES256", elliptic.P384(): "ES384", elliptic.P521(): "ES512"}[public.Curve]
		if alg != "" {
			return key{algs: []string{alg}, value: public}, nil
		}
	case ed25519.PublicKey:
		return key{algs: []string{"EdDSA"}, value: public}, nil
	}
	return key{}, errors.New("the key cannot sign tokens; use RSA, ECDSA on P-256, P-384 or P-521, or Ed25519")
}

// fixed are keys that never change.
type fixed []key

func (f fixed) find(context.Context, string) ([]key, error) { return f, nil }
func (fixed) close()                                        {}

// keyOf returns the keys to check a token's signature with.
func (a *Auth) keyOf(ctx context.Context, token *jwt.Token) (any, error) {
	if _, critical := token.Header["crit"]; critical {
		return nil, refusal("the token has a crit header, whose extensions this bridge does not support")
	}
	id, isText := token.Header["kid"].(string)
	if _, has := token.Header["kid"]; has && !isText {
		return nil, refusal("the token's kid is not a string")
	}
	found, err := a.keys.find(ctx, id)
	if err != nil {
		return nil, err
	}
	var set jwt.VerificationKeySet
	for _, k := range found {
		if slices.Contains(k.algs, token.Method.Alg()) {
			set.Keys = append(set.Keys, k.value)
		}
	}
	if len(set.Keys) == 0 {
		return nil, refusal(fmt.Sprintf("the token's alg is %s, which this bridge's keys are not for", token.Method.Alg()))
	}
	return set, nil
}
