package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/tailwater/tailwater/bridge/auth"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// watch tells what an EventSource does, one object for each time.
const watch = `
const source = new EventSource(url);
source.onopen = () => tell({kind: "open"});
source.onerror = () => source.readyState === EventSource.CLOSED && tell({kind: "closed"});
for (const type of ["message", "tailwater:open", "tailwater:gap", "tailwater:reset", "tailwater:binary", "tailwater:close"])
	source.addEventListener(type, e => tell({kind: "event", type, data: e.data, id: e.lastEventId}));
`

// told is such an object.
type told struct{ Kind, Type, Data, ID string }

// signingIn is a page's part: it sends a token once, and listens with the ticket that it was given, or with the cookie. What it
// sees is in seen, what the bridge answered to the token in answered.
const signingIn = `
let seen = [], answered = 0;
function listen(url) {
	const tell = object => seen.push(object);` + watch + `
}
async function signIn(at, token, withCookie) {
	const answer = await fetch(at + "/session", {method: "POST", headers: {Authorization: "Bearer " + token}}).catch(() => ({status: -1}));
	answered = answer.status;
	if (answered !== 200) return;
	const {ticket} = await answer.json();
	listen(at + "/inbox" + (withCookie ? "" : "?ticket=" + encodeURIComponent(ticket)));
}
`

// run runs a script on a page, and forgets what the page has seen so far.
func (p tab) run(script string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](`seen = []; answered = 0; ` + script + `; 0`))
}

// awaitSeen gives what a page has seen, once that is among it: a kind, a type or data.
func (p tab) awaitSeen(last string) (all []told) {
	p.t.Helper()
	p.waitFor(`seen.some(w => [w.kind, w.type, w.data].includes(` + inJS(last) + `))`)
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`JSON.stringify(seen)`))
	noError(p.t, err)
	noError(p.t, json.Unmarshal([]byte(text), &all))
	return all
}

// inJS gives a string as JavaScript has it.
func inJS(text string) string {
	quoted, _ := json.Marshal(text) // a string never fails
	return string(quoted)
}

// brief says it in a few words.
func brief(all []told) string {
	var words []string
	for _, w := range all {
		switch {
		case w.Kind == "event" && w.Type == "message":
			words = append(words, w.Data)
		case w.Kind == "event":
			words = append(words, strings.TrimPrefix(w.Type, "tailwater:")+w.Data)
		default:
			words = append(words, w.Kind)
		}
	}
	return strings.Join(words, " ")
}

// Pages sign in as the README says, in a real browser: those of other origins with a ticket, the bridge's own with a cookie.
func TestSignedInPages(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	page := startEvil(t, `<!doctype html><meta charset=utf-8><script>`+signingIn+`</script>`)
	inBrowser(t, map[string]func(*testing.T, context.Context){
		"ticket": func(t *testing.T, browser context.Context) { testTicketPage(t, browser, page.URL) },
		"cookie": func(t *testing.T, browser context.Context) { testCookiePage(t, browser, page.URL) },
	})
}

// claimsOf are of a good token.
func claimsOf(name, id string) auth.Claims {
	return auth.Claims{Subject: name, ID: id, Expires: time.Now().Add(time.Hour)}
}

// A page of another origin, which is allowed: its EventSource comes back by itself with the ticket and the last id, until the
// token is revoked or expires. Then it is told why, comes back once more, and is closed for good, until the page signs in again.
func testTicketPage(t *testing.T, browser context.Context, others string) {
	origin := strings.Replace(others, "127.0.0.1", "app.localhost", 1)
	n := startNode(t, signedIn(settings{"HTTP_ORIGINS": origin, "HTTP_HOSTS": "127.0.0.1"}))
	cutter := bridgetest.StartCutter(t, n.Address().String())
	at := inJS("http://" + cutter.Addr().String())
	page := openTab(t, browser, origin+"/page")
	conn := n.client(t, publisherFile)
	publish := func(text string) {
		noError(t, conn.Publish("user.alice.inbox", []byte(text)))
	}
	expiring := openTab(t, browser, origin+"/page") // beside the proxy
	short := claimsOf("bob", "")
	short.Expires = time.Now().Add(8 * time.Second) // by when the page is open
	expiring.run(`signIn(` + inJS(n.URL()) + `, ` + inJS(sign(t, tokenSecret, short)) + `)`)

	page.run(`signIn(` + at + `, ` + inJS(sign(t, tokenSecret, claimsOf("alice", "t1"))) + `)`)
	page.awaitSeen("tailwater:open")
	publish("one")
	page.awaitSeen("one")
	cutter.Cut()
	publish("two") // which it finds when it is back
	all := page.awaitSeen("two")
	const opening = `open{"subjects":["user.alice.inbox"],"heartbeat":15}`
	if got, want := brief(all), "open "+opening+" one open "+opening+" two"; got != want || all[4].ID != all[2].ID {
		t.Errorf("the page saw %s instead of %s; it was to continue at %s, not at %s", got, want, all[2].ID, all[4].ID)
	}

	revoke := revoked(t, jetstreamOf(t, n.client(t, adminFile)))
	revoke("jti.t1")
	if got := brief(page.awaitSeen("closed")); !strings.HasSuffix(got, ` two close{"reason":"auth"} closed`) {
		t.Errorf("at the end, the page saw %s", got)
	}
	page.run(`signIn(` + at + `, ` + inJS(sign(t, tokenSecret, claimsOf("alice", "t1"))) + `)`)
	page.waitFor(`answered === 401`)
	page.run(`signIn(` + at + `, ` + inJS(sign(t, tokenSecret, claimsOf("alice", "t2"))) + `)`)
	page.awaitSeen("tailwater:open")
	publish("three")
	page.awaitSeen("three")

	if got, want := brief(expiring.awaitSeen("closed")), `open open{"subjects":["user.bob.inbox"],"heartbeat":15} close{"reason":"auth"} closed`; got != want {
		t.Errorf("the page whose token expired saw %s", got)
	}
	testStolenTicket(t, browser, n, origin)
}

// A page whose origin is not allowed has no use for a token, and none for a ticket.
func testStolenTicket(t *testing.T, browser context.Context, n *testNode, origin string) {
	evil := openTab(t, browser, strings.Replace(origin, "app.localhost", "evil.localhost", 1)+"/page")
	token := sign(t, tokenSecret, claimsOf("carol", ""))
	evil.run(`signIn(` + inJS(n.URL()) + `, ` + inJS(token) + `)`)
	evil.waitFor(`answered === -1`)
	ticket := n.seal(t, http.DefaultClient, token)
	secrets.Plant(ticket)
	evil.run(`listen(` + inJS(n.URL()+"/inbox?ticket="+url.QueryEscape(ticket)) + `)`)
	if got := brief(evil.awaitSeen("closed")); got != "closed" {
		t.Errorf("a page of another origin saw %s", got)
	}
}

// A page of the bridge's own gets a cookie that it cannot read itself, and that opens nothing to anybody else's pages. Where it is
// renewed before the token expires, the EventSource misses nothing.
func testCookiePage(t *testing.T, browser context.Context, others string) {
	n := startNode(t, signedIn(settings{"HTTP_ORIGINS": "https://app.example.com"}))
	open := func(browser context.Context) tab {
		page := openTab(t, browser, n.URL()+"/clock")
		page.do(chromedp.Evaluate[chromedp.Void](signingIn + `; 0`))
		return page
	}
	isClosed := func(page tab, url string) {
		t.Helper()
		page.run(`listen(` + inJS(url) + `)`)
		if got := brief(page.awaitSeen("closed")); got != "closed" {
			t.Errorf("without a cookie, a page saw %s", got)
		}
	}
	page := open(browser)
	isClosed(page, "/inbox")
	short := claimsOf("alice", "")
	short.Expires = time.Now().Add(8 * time.Second) // by when the page is open, and has read
	page.run(`signIn("", ` + inJS(sign(t, tokenSecret, short)) + `, true)`)
	page.awaitSeen("tailwater:open")
	page.waitFor(`document.cookie === ""`)
	conn := n.client(t, publisherFile)
	publish := func(text string) {
		noError(t, conn.Publish("user.alice.inbox", []byte(text)))
	}
	publish("one")
	page.awaitSeen("one")
	page.do(chromedp.Evaluate[chromedp.Void](`answered = 0; fetch("/session", {method: "POST", headers: {Authorization: "Bearer ` +
		sign(t, tokenSecret, claimsOf("alice", "")) + `"}}).then(r => answered = r.status); 0`))
	page.waitFor(`answered === 200`)
	page.awaitSeen("tailwater:close")
	publish("two")
	const opening = `open open{"subjects":["user.alice.inbox"],"heartbeat":15}`
	if got, want := brief(page.awaitSeen("two")), opening+` one close{"reason":"auth"} `+opening+" two"; got != want {
		t.Errorf("the page saw %s instead of %s", got, want)
	}
	page.waitFor(`document.cookie === ""`)

	stranger, forget := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	defer forget()
	if err := chromedp.Do(stranger); err != nil { // so that it has cookies of its own
		t.Fatal(err)
	}
	isClosed(open(stranger), "/inbox")
	for _, origin := range []string{others, strings.Replace(others, "127.0.0.1", "evil.localhost", 1)} { // of the same site, and of another
		page := openTab(t, browser, origin+"/page")
		page.run(`new EventSource(` + inJS(n.URL()+"/inbox") + `, {withCredentials: true}).onerror = e => seen.push({kind: ["connecting", "open", "closed"][e.target.readyState]})`)
		if got := brief(page.awaitSeen("closed")); got != "closed" {
			t.Errorf("a page of %s saw %s", origin, got)
		}
	}
	page.run(`fetch("/session", {method: "DELETE"}).then(r => answered = r.status)`)
	page.waitFor(`answered === 204`)
	isClosed(page, "/inbox")
}
