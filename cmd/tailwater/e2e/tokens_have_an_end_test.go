package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A token whose exp is in milliseconds is good for 50,000 years, and nothing that is told of it can say so.
func TestTokensThatAreGoodForTooLong(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "TAILWATER_AUTH_JWT_SECRET="+tokenSecret, "TAILWATER_AUTH_TICKET_SECRET="+ticketSecret, "TAILWATER_AUTH_COOKIE=tailwater", "TAILWATER_EMBED_LISTEN=")
	session := func(exp string) (int, string) {
		return request(t, "POST", p.http+"/session", signText(t, fmt.Sprintf(`{"sub":"alice","exp":%s}`, exp)), "")
	}
	eventually(t, "tokens can be checked", func() bool {
		status, _ := session(fmt.Sprint(time.Now().Add(time.Hour).Unix()))
		return status == http.StatusOK
	})
	for exp, want := range map[string]struct {
		status int
		says   string
	}{
		fmt.Sprint(time.Now().Add(29 * 24 * time.Hour).Unix()): {http.StatusOK, `"expires":"20`},
		fmt.Sprint(time.Now().Add(31 * 24 * time.Hour).Unix()): {http.StatusUnauthorized, "TAILWATER_AUTH_MAX_LIFE"},
		fmt.Sprint(time.Now().Add(time.Hour).UnixMilli()):      {http.StatusUnauthorized, "not milliseconds"},
		"1e300":               {http.StatusUnauthorized, "not a time"},
		"9223372036854775807": {http.StatusUnauthorized, "not a time"},
	} {
		if status, body := session(exp); status != want.status || !strings.Contains(body, want.says) {
			t.Errorf("exp %s: %d %q", exp, status, body)
		}
	}
}

// What the environment names as a proxy was set for other programs, and would choose which keys are trusted.
func TestKeySetIsNotReadThroughProxiesOfTheEnvironment(t *testing.T) {
	t.Parallel()
	path, err := bridgetest.Tailwater()
	noError(t, err)
	var mu sync.Mutex
	asked := map[string]bool{}
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.RequestURI] = true
	}))
	defer proxy.Close()
	check := func(env ...string) {
		t.Helper()
		cmd := exec.Command(path, "check")
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "HTTPS_PROXY="+proxy.URL, "https_proxy="+proxy.URL, "TAILWATER_AUTH_JWKS_URL=https://0.0.0.0:1/keys")
		cmd.Env = append(cmd.Env, env...)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "request the key set") {
			t.Errorf("%v: %s", err, out)
		}
	}
	check()
	if mu.Lock(); len(asked) > 0 {
		t.Errorf("the proxy was asked for %v", asked)
	}
	mu.Unlock()
	check("TAILWATER_AUTH_JWKS_PROXY=" + proxy.URL)
	if mu.Lock(); !asked["0.0.0.0:1"] {
		t.Errorf("the proxy was asked for %v", asked)
	}
	mu.Unlock()
}

// signText signs a token whose claims are this text.
func signText(t *testing.T, claims string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256"}`)) + "." + encode([]byte(claims))
	signature, err := jwt.SigningMethodHS256.Sign(text, []byte(tokenSecret))
	noError(t, err)
	token := text + "." + encode(signature)
	secrets.Plant(token)
	return token
}
