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

// keys are what signatures are checked with.
type keys interface {
	// find gives those that may have signed a token. The error is a keyError, or undecided.
	find(ctx context.Context, id string) ([]key, error)
	close()
}

// key is one of them. It is used with the algorithms of its kind alone, whatever a token asks for: taken for the secret of an
// HMAC, a public key would let everyone make tokens.
type key struct {
	id    string // empty where it has none
	algs  []string
	value any // as package jwt takes it
}

// keyError says why no key fits a token.
type keyError string

func (e keyError) Error() string { return string(e) }

// undecided says why it cannot be told now whether a key fits a token.
type undecided string

func (u undecided) Error() string { return string(u) }

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
	return nil, errSecret("the secret of tokens", config.Secret)
}

func errSecret(what, secret string) error {
	return fmt.Errorf("%s has %d bytes, and needs at least %d", what, len(secret), MinSecret)
}

// minRSA is the least that RFC 7518, 3.3, allows, in bits.
const minRSA = 2048

// newKey gives the key with the algorithms that it is for.
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
	return key{}, errors.New("a key is none that tokens are signed with; RSA, ECDSA on P-256, P-384 or P-521, and Ed25519 are")
}

// fixed are keys that never change.
type fixed []key

func (f fixed) find(context.Context, string) ([]key, error) { return f, nil }
func (fixed) close()                                        {}

// keyOf gives what a token's signature is to be checked with.
func (a *Auth) keyOf(ctx context.Context, token *jwt.Token) (any, error) {
	if _, critical := token.Header["crit"]; critical {
		return nil, keyError("the token has a crit header, and this bridge knows none of what that asks for")
	}
	id, isText := token.Header["kid"].(string)
	if _, has := token.Header["kid"]; has && !isText {
		return nil, keyError("the token's kid is no string")
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
		return nil, keyError(fmt.Sprintf("the token's alg is %s, which is not what this bridge's keys are for", token.Method.Alg()))
	}
	return set, nil
}
