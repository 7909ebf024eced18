package auth_test

// What the tests of this package stand on: an Auth whose revocations are read from a source without any, and tokens of every
// kind.

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

const (
	secret       = "a secret of more than thirty-two bytes"
	ticketSecret = "another secret of more than 32 bytes!"
)

// secrets overhears all that these tests let an Auth say.
var secrets bridgetest.Secrets

// overheard is an Auth whose errors and logs are looked through for secrets, and whose tickets are secrets as well.
type overheard struct{ *auth.Auth }

func (o overheard) Token(ctx context.Context, token string) (bridge.Caller, error) {
	caller, err := o.Auth.Token(ctx, token)
	secrets.Overhear(fmt.Sprint(err))
	return caller, err
}

func (o overheard) Ticket(ctx context.Context, ticket string) (bridge.Caller, error) {
	caller, err := o.Auth.Ticket(ctx, ticket)
	secrets.Overhear(fmt.Sprint(err))
	return caller, err
}

func (o overheard) Seal(token string) string {
	ticket := o.Auth.Seal(token)
	secrets.Plant(ticket)
	return ticket
}

// open returns an Auth that knows what is revoked: nothing.
func open(t testing.TB, config auth.Config) overheard {
	t.Helper()
	known := make(chan struct{}, 1)
	a := openOver(t, config, bridgetest.NewSource(), func() { known <- struct{}{} })
	<-known
	return a
}

func openOver(t testing.TB, config auth.Config, source bridge.Source, changed func()) overheard {
	t.Helper()
	below := slog.DiscardHandler
	if config.Log != nil {
		below = config.Log.Handler()
	}
	config.Log = slog.New(secrets.Log(below))
	hub := bridge.NewHub(source, 0, bridge.DefaultMemory)
	t.Cleanup(hub.Close)
	a, err := auth.Open(config, hub, changed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return overheard{a}
}

// claims returns the claims of a good token, with some changed; nil takes one away.
func claims(changes map[string]any) jwt.MapClaims {
	all := jwt.MapClaims{
		"sub": "alice", "jti": "t1", "iss": "https://id.example.com", "aud": []string{"tailwater", "other"},
		"exp":  time.Now().Add(time.Hour).Unix(),
		"nats": map[string]any{"sub": map[string]any{"allow": []string{"chat.>"}}},
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// sign makes a token; headers are names and values in turn.
func sign(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims, headers ...any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	for i := 0; i < len(headers); i += 2 {
		token.Header[headers[i].(string)] = headers[i+1]
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	secrets.Plant(text)
	return text
}

// good checks that a token is taken, and gives its caller.
func good(t testing.TB, a overheard, token string) bridge.Caller {
	t.Helper()
	caller, err := a.Token(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return caller
}

// bad checks that a token is refused with a text, and that the text holds no part of it.
func bad(t testing.TB, a overheard, token, says string) {
	t.Helper()
	caller, err := a.Token(t.Context(), token)
	if !errors.Is(err, bridge.ErrToken) || !strings.Contains(err.Error(), says) || !caller.Anonymous() {
		t.Fatalf("%v and %+v instead of %q", err, caller, says)
	}
	for _, part := range strings.Split(token, ".") {
		if len(part) > 10 && strings.Contains(err.Error(), part[:10]) {
			t.Errorf("a part of the token stands in %q", err)
		}
	}
}

// pair is a private key with its public one, and how it signs.
type pair struct {
	method  jwt.SigningMethod
	private crypto.Signer
}

func (p pair) public() crypto.PublicKey { return p.private.Public() }

var pairs = sync.OnceValue(func() map[string]pair {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	otherRSA, err2 := rsa.GenerateKey(rand.Reader, 2048)
	p256, err3 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err4 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, ed, err5 := ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(err, err2, err3, err4, err5); err != nil {
		panic(err)
	}
	return map[string]pair{
		"RS256": {jwt.SigningMethodRS256, rsaKey}, "other RS256": {jwt.SigningMethodRS256, otherRSA}, "RS512": {jwt.SigningMethodRS512, rsaKey},
		"ES256": {jwt.SigningMethodES256, p256}, "ES384": {jwt.SigningMethodES384, p384}, "EdDSA": {jwt.SigningMethodEdDSA, ed},
	}
})
