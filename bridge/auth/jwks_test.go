package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// provider serves a key set, and counts how often it is asked.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  int
}

func startProvider(t *testing.T) *provider {
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked++
		answer := p.answer
		p.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) say(answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// serve lets it have the public keys of these pairs, by their names.
func (p *provider) serve(t *testing.T, names ...string) {
	text := keySet(t, names...)
	p.say(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) })
}

func keySet(t testing.TB, names ...string) []byte {
	t.Helper()
	var set jwkset.JWKSMarshal
	for _, name := range names {
		jwk, err := jwkset.NewJWKFromKey(pairs()[name].public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: name, USE: jwkset.UseSig}})
		if err != nil {
			t.Fatal(err)
		}
		set.Keys = append(set.Keys, jwk.Marshal())
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// signed makes a token with the key of a name, which is its kid.
func signed(t testing.TB, name string) string {
	return sign(t, pairs()[name].method, pairs()[name].private, claims(nil), "kid", name)
}

func fail(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "swordfish", http.StatusInternalServerError)
}

func TestKeySet(t *testing.T) {
	p := startProvider(t)
	p.serve(t, "RS256", "other RS256", "ES256", "EdDSA")
	a := open(t, auth.Config{JWKS: p.URL})
	for _, name := range []string{"RS256", "other RS256", "ES256", "EdDSA"} {
		good(t, a, signed(t, name))
		good(t, a, sign(t, pairs()[name].method, pairs()[name].private, claims(nil))) // without a kid
	}
	if n := p.count(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
	bad(t, a, sign(t, jwt.SigningMethodRS256, pairs()["RS256"].private, claims(nil), "kid", "other RS256"), "signature does not match")
	bad(t, a, sign(t, jwt.SigningMethodES256, pairs()["ES256"].private, claims(nil), "kid", "RS256"), "alg is ES256")
	bad(t, a, sign(t, jwt.SigningMethodHS256, keySet(t, "RS256"), claims(nil), "kid", "RS256"), "alg is HS256")
	bad(t, a, sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(nil), "kid", "RS256"), "alg is none")
}

// Key ids that callers make up do not become requests to the provider, each.
func TestUnknownKeyIDsAreLimited(t *testing.T) {
	p := startProvider(t)
	p.serve(t, "RS256")
	a := open(t, auth.Config{JWKS: p.URL})
	good(t, a, signed(t, "RS256"))
	for range 50 {
		bad(t, a, signed(t, "ES256"), "kid is not in the provider")
	}
	if n := p.count(); n > 3 {
		t.Errorf("it was asked %d times", n)
	}
}

// A new key is found when its first token comes, and a key that the provider has removed is good no more in a while.
func TestKeyRotation(t *testing.T) {
	p := startProvider(t)
	p.serve(t, "RS256")
	a := open(t, auth.Config{JWKS: p.URL})
	a.Hurry()
	good(t, a, signed(t, "RS256"))
	p.serve(t, "RS256", "ES256")
	good(t, a, signed(t, "ES256"))
	good(t, a, signed(t, "RS256"))
	p.serve(t, "ES256")
	a.Grow()
	bridgetest.Eventually(t, "the removed key is no good", func() bool {
		_, err := a.Token(t.Context(), signed(t, "RS256"))
		return errors.Is(err, bridge.ErrToken)
	})
	good(t, a, signed(t, "ES256"))
}

func TestProviderAway(t *testing.T) {
	p := startProvider(t)
	p.say(fail)
	log := &bridgetest.Output{}
	a := open(t, auth.Config{JWKS: p.URL, Log: slog.New(slog.NewTextHandler(log, nil))})
	a.Hurry()
	verdict := func() error {
		_, err := a.Token(t.Context(), signed(t, "RS256"))
		return err
	}
	if err := verdict(); !errors.Is(err, bridge.ErrNoVerdict) || errors.Is(err, bridge.ErrToken) {
		t.Fatal(err) // it may be good, who knows
	}
	p.serve(t, "RS256")
	if err := verdict(); err != nil {
		t.Fatal(err)
	}
	p.say(fail)
	a.Grow()
	for range 5 {
		if err := verdict(); err != nil {
			t.Fatal("a key that was known is forgotten: ", err)
		}
	}
	if _, err := a.Token(t.Context(), signed(t, "ES256")); !errors.Is(err, bridge.ErrNoVerdict) {
		t.Errorf("a key that may be new: %v", err)
	}
	bridgetest.Eventually(t, "the log says so", func() bool { return strings.Contains(log.String(), "500 Internal Server Error") })
	if strings.Contains(log.String(), "swordfish") {
		t.Error(log.String())
	}
}

func TestBadKeySets(t *testing.T) {
	other := keySet(t, "RS256")
	big := []byte(`{"keys":[` + strings.Repeat(" ", 1<<20) + `]}`)
	for name, answer := range map[string]http.HandlerFunc{
		"no JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"no keys": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"a secret": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[{"kty":"oct","k":"c3dvcmRmaXNo","kid":"RS256"}]}`))
		},
		"too big": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/other" {
				_, _ = w.Write(other)
				return
			}
			http.Redirect(w, r, "/other", http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := startProvider(t)
			p.say(answer)
			a := open(t, auth.Config{JWKS: p.URL})
			if _, err := a.Token(t.Context(), signed(t, "RS256")); !errors.Is(err, bridge.ErrNoVerdict) {
				t.Error(err)
			}
		})
	}
}

// A caller who waits for the provider, and Close, do not wait longer than they want to.
func TestProviderThatDoesNotAnswer(t *testing.T) {
	p := startProvider(t)
	release := make(chan struct{})
	p.say(func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	a := open(t, auth.Config{JWKS: p.URL})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Token(ctx, signed(t, "RS256")); !errors.Is(err, bridge.ErrNoVerdict) {
		t.Error(err)
	}
}

func FuzzKeySet(f *testing.F) {
	f.Add(keySet(f, "RS256", "ES256", "EdDSA"))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if n, err := auth.ParseKeySet(text); (n > 0) != (err == nil) {
			t.Errorf("%d keys, and %v", n, err)
		}
	})
}

// However many callers bring keys that nobody knows while the provider does not answer, few of them wait, and not for long.
func TestFewWaitForTheKeySet(t *testing.T) {
	p := startProvider(t)
	release := make(chan struct{})
	p.say(func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	a := open(t, auth.Config{JWKS: p.URL})
	token := signed(t, "RS256")
	const callers = 3 * auth.MaxWaiting // all come before the first has waited in vain: a thousand took the race detector seconds
	verdicts := make(chan error, callers)
	for range callers {
		go func() {
			_, err := a.Token(context.Background(), token)
			verdicts <- err
		}()
	}
	told := map[string]int{}
	for range callers {
		err := <-verdicts
		if !errors.Is(err, bridge.ErrNoVerdict) {
			t.Fatal(err)
		}
		told[err.Error()]++
	}
	refused, late := 0, 0
	for text, n := range told {
		if strings.Contains(text, "too many requests are waiting") {
			refused += n
		}
		if strings.Contains(text, "has not answered in time") {
			late += n
		}
	}
	if refused < callers-auth.MaxWaiting || late == 0 || late > auth.MaxWaiting || refused+late != callers {
		t.Errorf("%d of %d waited: %v", callers-refused, callers, told)
	}
}

// A key set is read through a proxy where the settings name one.
func TestKeySetThroughAProxy(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.RequestURI)
		_, _ = w.Write(keySet(t, "ES256"))
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := auth.KeySet(t.Context(), "http://127.0.0.1:1/keys", at); n != 1 || err != nil {
		t.Errorf("%d keys, %v", n, err)
	}
	if _, err := auth.KeySet(t.Context(), "https://keys.invalid/keys", at); err == nil {
		t.Error("a proxy that makes no tunnel is good enough")
	}
	if want := []string{"GET http://127.0.0.1:1/keys", "CONNECT keys.invalid:443"}; !slices.Equal(asked, want) {
		t.Errorf("the proxy was asked for %q", asked)
	}
}
