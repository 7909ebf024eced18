package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTokenCommand(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		set  settings
		args []string
		says string
	}{
		{nil, []string{"--sub=a"}, "export TAILWATER_AUTH_JWT_SECRET="},
		{settings{"AUTH_JWKS_URL": "https://id.example.com/k"}, []string{"--sub=a"}, "the private key for tokens is not here"},
		{settings{"AUTH_JWT_SECRET": tokenSecret}, nil, "--sub"},
		{settings{"AUTH_JWT_SECRET": tokenSecret}, []string{"--sub=a", "--expires=-1h"}, "not in the future"},
		{settings{"AUTH_JWT_SECRET": tokenSecret}, []string{"--sub=a", "--allow-sub=$SYS.>"}, "matches subjects of NATS itself"},
		{settings{"AUTH_JWT_SECRET": tokenSecret}, []string{"--sub=a", "--allow-pub=a..b"}, "not a subject"},
	} {
		t.Run(test.says, func(t *testing.T) {
			code, out, stderr := call(t, test.set, append([]string{"token"}, test.args...)...)
			if code != exitUsage || out != "" || !strings.Contains(stderr, test.says) || strings.Contains(stderr, tokenSecret) {
				t.Errorf("exit code %d: %s%s", code, out, stderr)
			}
		})
	}
}

func TestCheckSaysHowCallersSignIn(t *testing.T) {
	t.Parallel()
	keys, _ := newKeySet(t, "any")
	provider := httptest.NewServer(answering(http.StatusOK, string(keys)))
	defer provider.Close()
	tls, _ := newIssuer(t).settings()
	for _, test := range []struct {
		set   settings
		says  []string
		never string
	}{
		{nil, []string{"not accepted"}, "EventSource"},
		{signedIn(nil), []string{"with the secret", "the cookie tailwater", "?ticket=", "tailwater-admin.json kv put tailwater_revoked", "tailwater-nats.json", "/inbox=user.{claim.sub}.inbox (each caller may read the subject", "(each caller may read and write the subject"}, "! "},
		{settings{"AUTH_JWKS_URL": provider.URL}, []string{provider.URL, "holds 1 key now", "! EventSource cannot send headers", "set TAILWATER_AUTH_AUDIENCE", "set TAILWATER_AUTH_ISSUER"}, "the cookie"},
		{settings{"AUTH_JWKS_URL": provider.URL, "AUTH_COOKIE": "c", "AUTH_AUDIENCE": "me", "AUTH_ISSUER": "them"}, []string{"from the issuer them, for the audience me", "has no secret to seal the cookie"}, "! "},
		{signedIn(openToAll(settings{"HTTP_TRUSTED_PROXIES": "127.0.0.1"})), []string{"the cookie tailwater (__Host-tailwater if a proxy says https by X-Forwarded-Proto)"}, "to seal"},
		{signedIn(tls), []string{"the cookie __Host-tailwater, or"}, "to seal"},
		{signedIn(settings{"AUTH_COOKIE": "__Host-mine"}), []string{"the cookie __Host-mine, or"}, "to seal"},
	} {
		t.Run(test.says[0], func(t *testing.T) {
			code, out, stderr := call(t, test.set, "check")
			wantAll(t, "it", out, test.says...)
			if code != 0 || strings.Contains(out, test.never) || strings.Contains(out+stderr, tokenSecret) {
				t.Errorf("exit code %d, with %q:\n%s%s", code, test.never, out, stderr)
			}
		})
	}
}

// check reads the key set, and says what is wrong with it. serve starts without it all the same.
func TestCheckReadsTheKeySet(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for says, answer := range map[string]http.HandlerFunc{
		"connection refused": nil,
		"404 Not Found":      http.NotFound,
		"it redirects":       http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP,
		"read the key set: not a JSON Web Key Set": answering(http.StatusOK, "<html>"),
		"it holds no key that can sign tokens":     answering(http.StatusOK, `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`),
	} {
		t.Run(says, func(t *testing.T) {
			url := gone.URL
			if answer != nil {
				provider := httptest.NewServer(answer)
				defer provider.Close()
				url = provider.URL
			}
			s := settings{"AUTH_JWKS_URL": url}
			code, out, stderr := call(t, s, "check")
			if code != exitFailure || !strings.Contains(out, says) || !strings.Contains(out, "fix: set TAILWATER_AUTH_JWKS_URL") || !strings.Contains(stderr, says) {
				t.Errorf("exit code %d:\n%s%s", code, out, stderr)
			}
			startNode(t, s)
		})
	}
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}
