package e2e

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Over TLS the cookie is one that nobody but the bridge can set: another page of the domain could else sign somebody in as itself.
func TestCookieOverTLS(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	tls, _ := issuer.settings()
	n := startNode(t, signedIn(tls))
	eventually(t, "tokens can be checked", n.isReady)
	token := sign(t, tokenSecret, claimsOf("alice", ""))
	client := issuer.client(true)
	client.Jar, _ = cookiejar.New(nil) // it never fails
	response := askBy(t, client, http.MethodPost, n.URL()+"/session", "", bearer(token))
	cookie, err := http.ParseSetCookie(response.Header.Get("Set-Cookie"))
	if err != nil || cookie.Name != "__Host-tailwater" || !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" {
		t.Fatalf("%v: %v", cookie, err)
	}
	secrets.Plant(cookie.Value)
	if strings.Contains(cookie.Value, ".") || strings.Contains(token, cookie.Value) {
		t.Errorf("the cookie holds the token")
	}
	inbox, err := client.Get(n.URL() + "/inbox?poll=1&since=new")
	noError(t, err)
	if status, body := answer(t, inbox); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	if !*soak {
		return // the rest takes a browser
	}
	inBrowser(t, map[string]func(*testing.T, context.Context){"browser": func(t *testing.T, browser context.Context) {
		testPlantedCookie(t, browser, n, issuer.client(true), token)
	}})
}

// A page signs in, listens, and signs out. A cookie by the plain name, as another host of the domain can set it, signs nobody in.
func testPlantedCookie(t *testing.T, browser context.Context, n *testNode, client *http.Client, token string) {
	mallory := n.seal(t, client, sign(t, tokenSecret, claimsOf("mallory", "")))
	secrets.Plant(mallory)
	page := openTab(t, browser, n.URL()+"/clock")
	page.do(chromedp.Evaluate[chromedp.Void](signingIn + `; document.cookie = "tailwater=` + mallory + `; path=/; secure"; 0`))
	page.run(`listen("/inbox")`)
	if got := brief(page.awaitSeen("closed")); got != "closed" {
		t.Errorf("with a planted cookie, a page saw %s", got)
	}
	page.run(`signIn("", ` + inJS(token) + `, true)`)
	if got := brief(page.awaitSeen("tailwater:open")); !strings.Contains(got, "user.alice.inbox") {
		t.Errorf("beside a planted cookie, a page saw %s", got)
	}
	page.waitFor(`document.cookie.startsWith("tailwater=") && !document.cookie.includes("__Host-")`)
	page.run(`fetch("/session", {method: "DELETE"}).then(r => answered = r.status)`)
	page.waitFor(`answered === 204`)
	page.run(`listen("/inbox")`)
	if got := brief(page.awaitSeen("closed")); got != "closed" {
		t.Errorf("after signing out, a page saw %s", got)
	}
}
