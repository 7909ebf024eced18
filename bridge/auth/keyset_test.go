package auth_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
)

// A set may hold keys that this bridge cannot use: they hide no other, and a key is used for the algorithm that the set names only.
func TestKeysBesideOthers(t *testing.T) {
	public := base64.RawURLEncoding.EncodeToString(pairs()["EdDSA"].public().(ed25519.PublicKey))
	good := `{"kty":"OKP","crv":"Ed25519","x":"` + public + `","kid":"a"}`
	for name, other := range map[string]string{
		"of an unknown kind":    `{"kty":"XYZ","kid":"b"}`,
		"that is too short":     `{"kty":"RSA","n":"AQ","e":"AQAB","kid":"b"}`,
		"that is no public key": `{"kty":"oct","k":"c3dvcmRmaXNo","kid":"b"}`,
		"for another algorithm": strings.Replace(good, `"kid":"a"`, `"kid":"b","alg":"ES256"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if n, err := auth.ParseKeySet([]byte(`{"keys":[` + other + `,` + good + `]}`)); n != 1 {
				t.Errorf("%d keys, %v", n, err)
			}
		})
	}
	p := startProvider(t)
	set := strings.Replace(string(keySet(t, "RS256")), `"kid":`, `"alg":"RS512","kid":`, 1)
	p.say(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, set) })
	a := open(t, auth.Config{JWKS: p.URL})
	private := pairs()["RS256"].private
	good512 := sign(t, jwt.SigningMethodRS512, private, claims(nil), "kid", "RS256")
	if _, err := a.Token(t.Context(), good512); err != nil {
		t.Error(err)
	}
	bad(t, a, sign(t, jwt.SigningMethodRS256, private, claims(nil), "kid", "RS256"), "alg is RS256")
}

// An operator who has the key set read again has its keys at once; if it cannot be read, the earlier ones stay.
func TestReadKeySet(t *testing.T) {
	p := startProvider(t)
	p.say(fail)
	a := open(t, auth.Config{JWKS: p.URL})
	if _, err := a.Token(t.Context(), signed(t, "ES256")); !errors.Is(err, bridge.ErrNoVerdict) {
		t.Fatal(err) // from now on, no token makes it ask for some seconds
	}
	p.serve(t, "ES256", "EdDSA")
	if n, err := a.ReadKeySet(t.Context()); n != 2 || err != nil {
		t.Errorf("%d keys, %v", n, err)
	}
	good(t, a, signed(t, "ES256"))
	bad(t, a, signed(t, "RS256"), "kid is not in the provider")
	p.say(fail)
	if n, err := a.ReadKeySet(t.Context()); n != 0 || err == nil {
		t.Errorf("%d keys, %v", n, err)
	}
	good(t, a, signed(t, "ES256"))
	if _, err := a.Token(t.Context(), signed(t, "RS256")); !errors.Is(err, bridge.ErrNoVerdict) {
		t.Errorf("a key that may be new: %v", err)
	}
	if n, err := open(t, auth.Config{Secret: secret}).ReadKeySet(t.Context()); n != 0 || err != nil {
		t.Errorf("without a key set: %d keys, %v", n, err)
	}
}

// A set that is larger than it may be is not read to its end.
func TestKeySetWithoutEnd(t *testing.T) {
	p := startProvider(t)
	ended := make(chan struct{})
	p.say(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for blanks := []byte(strings.Repeat(" ", 64<<10)); r.Context().Err() == nil; {
			if _, err := w.Write(blanks); err != nil {
				return
			}
		}
	})
	if _, err := auth.KeySet(t.Context(), p.URL, nil); err == nil || errors.Is(err, bridge.ErrNoVerdict) || !strings.Contains(err.Error(), "not a JSON Web Key Set") {
		t.Error(err)
	}
	<-ended
}
