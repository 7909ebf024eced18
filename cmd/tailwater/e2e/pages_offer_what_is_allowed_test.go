package e2e

// The pages in a real browser, where not all is as in the demo.

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

var screens = flag.String("screens", "", "write pictures of the pages, as they are on several screens, to this folder")

func TestPagesOffer(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	inBrowser(t, map[string]func(*testing.T, context.Context){
		"filter":    testOfferFilter,
		"wildcards": testOfferWildcards,
		"subjects":  testOfferSubjects,
		"nothing":   testOfferNothing,
		"sign in":   testOfferSignIn,
	})
}

// startBeside runs a bridge before a NATS server of one's own.
func startBeside(t *testing.T, s settings) (n *testNode, publish func(subject, text string)) {
	t.Helper()
	server := bridgetest.StartNATSServer(t)
	all := settings{"NATS_URL": server.URL()}
	for name, value := range s {
		all[name] = value
	}
	conn := publisher(t, server.URL())
	return startNode(t, all), func(subject, text string) {
		t.Helper()
		noError(t, conn.Publish(subject, []byte(text)))
	}
}

// offered waits until the page offers something, and checks that it has asked for nothing that would be refused.
func (p tab) offered(n *testNode, words string) {
	p.t.Helper()
	p.waitFor(`!document.querySelector("#offers").hidden`)
	p.waitFor(`document.querySelector("#offers").innerText.includes(` + inJS(words) + `)`)
	p.waitFor(`document.querySelector("#composer").hidden && document.querySelector("#send").offsetParent === null`)
	if stats := n.Live.Stats().Requests; stats.Refused > 0 {
		p.t.Errorf("the page has asked for what is refused: %+v", stats)
	}
}

// A filter is completed in the field, which begins as its subjects do. Nobody may write: there is nothing to write in.
func testOfferFilter(t *testing.T, browser context.Context) {
	n, publish := startBeside(t, settings{"ANONYMOUS_SUBSCRIBE": "news.>"})
	page := openTab(t, browser, n.URL()+"/")
	page.offered(n, "news.>")
	page.waitFor(`document.querySelector("#room").value === "news."`)
	page.do(chromedp.SendKeys("#room", "sports\r"))
	page.waitForState("open")
	page.waitFor(`location.search === "?subject=news.sports" && document.querySelector("#composer").hidden`)
	page.waitFor(`document.querySelector("#reading").innerText.includes("TAILWATER_ANONYMOUS_PUBLISH")`)
	page.waitFor(`document.querySelector("#hint-nats").innerText === "nats pub news.sports hello"`)
	publish("news.sports", "goal")
	page.waitForMessage("", "goal")
	page.do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	page.offered(n, "news.>")
}

// Where filters may be read, the filter itself is offered. One subject of it can be written to.
func testOfferWildcards(t *testing.T, browser context.Context) {
	n, publish := startBeside(t, settings{"ANONYMOUS_SUBSCRIBE": "news.>", "ANONYMOUS_PUBLISH": "news.>", "ANONYMOUS_WILDCARDS": "true"})
	page := openTab(t, browser, n.URL()+"/")
	page.offered(n, "news.>")
	page.do(chromedp.Click("#offers a"))
	page.waitForState("open")
	page.waitFor(`document.querySelector("#reading").innerText.includes("filter") && document.querySelector("#composer").hidden`)
	publish("news.weather", "rain")
	page.waitForMessage("", "rain")
	page.do(chromedp.SetValue("#room", "news.weather"), chromedp.SendKeys("#room", "\r"))
	page.waitFor(`location.search === "?subject=news.weather" && !document.querySelector("#composer").hidden`)
	page.waitForState("open")
	page.do(chromedp.SendKeys("#text", "sun\r"))
	page.waitFor(`document.querySelector("#log").innerText.includes("sun")`)
}

// Subjects are links; so is the usual room, wherever it is among them. Who is at home in rooms stays there.
func testOfferSubjects(t *testing.T, browser context.Context) {
	n, publish := startBeside(t, settings{"ANONYMOUS_SUBSCRIBE": "orders.eu,chat.lobby"})
	page := openTab(t, browser, n.URL()+"/")
	page.offered(n, "orders.eu")
	page.waitFor(`[...document.querySelectorAll("#offers a")].map(a => a.search).join() === "?subject=orders.eu,?room=lobby"`)
	page.do(chromedp.Click(`#offers a[href="?subject=orders.eu"]`))
	page.waitForState("open")
	publish("orders.eu", "12 pumps")
	page.waitForMessage("", "12 pumps")

	usual, _ := startBeside(t, settings{"ANONYMOUS_SUBSCRIBE": "orders.eu,chat.*"})
	other := openTab(t, browser, usual.URL()+"/")
	other.waitForState("open")
	other.waitFor(`document.querySelector("#room").value === "room1" && document.querySelector("#offers").hidden`)
}

// Where nothing may be read, the page says in a sentence what to set, and has nothing to press.
func testOfferNothing(t *testing.T, browser context.Context) {
	n, _ := startBeside(t, nil)
	page := openTab(t, browser, n.URL()+"/")
	page.offered(n, "TAILWATER_ANONYMOUS_SUBSCRIBE")
	page.waitFor(`[...document.querySelectorAll("input, button")].every(e => e.offsetParent === null)`)
}

// Who has signed in may be allowed more: that is left to the server.
func testOfferSignIn(t *testing.T, browser context.Context) {
	n := startNode(t, signedIn(settings{"ANONYMOUS_SUBSCRIBE": "", "ANONYMOUS_PUBLISH": "", "AUTH_COOKIE": "session"}))
	page := openTab(t, browser, n.URL()+"/")
	page.offered(n, "without signing in")
	page.waitFor(`document.querySelector("#room").offsetParent !== null`)
	page.do(chromedp.SendKeys("#room", "chat.room1\r"))
	page.waitForState("refused")
	page.waitFor(`document.querySelector("#composer").hidden`)
}

// rooms are what a link to the chat page may name, with what the page says of it.
var rooms = []struct{ name, room, state, says string }{
	{"normal", "room1", "open", "open"},
	{"refused", "", "refused", `refused: not allowed: no permission to read "other.subject"`},
	{"blank", "a b", "open", "open"},
	{"long", strings.Repeat("long-room-", 18), "refused", "refused: not a subject: token 2 has 180 bytes; at most 128 are allowed"},
	{"filter", ">", "refused", `refused: not allowed: "chat.>" is a filter`},
	{"wide", strings.Repeat("聊天室", 60), "refused", "refused: not a subject"},
	{"deep", strings.Repeat("a.", 100) + "a", "refused", "refused: not a subject"},
}

// Whatever room a link names, the page says the reason first, and nothing of it is cut off or out of view, on a phone and on a
// desktop, by day and by night.
func TestPagesOnScreens(t *testing.T) {
	onlySoak(t)
	n := startNode(t, nil)
	others, _ := startBeside(t, settings{"ANONYMOUS_SUBSCRIBE": "news.>,orders.eu", "ANONYMOUS_PUBLISH": "orders.>"})
	closed, _ := startBeside(t, nil)
	browser := startBrowser(t)
	for _, screen := range []struct {
		name          string
		width, height int64
	}{{"phone", 390, 844}, {"small", 320, 568}, {"desktop", 1280, 800}} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(screen.name+" "+scheme, func(t *testing.T) {
				page := openTab(t, browser, "about:blank")
				page.do(chromedp.EmulateViewport(screen.width, screen.height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
					_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
						Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
					})
					return err
				}))
				see := func(name, address, state, says string) {
					page.do(chromedp.Navigate(address))
					page.waitForState(state)
					page.waitFor(`document.querySelector("#state").textContent.startsWith(` + inJS(says) + `)`)
					page.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("#who").forEach(who => who.open = true); 0`)) // the list is to be in view as well
					page.nothingClipped(name)
					page.picture(strings.Join([]string{name, screen.name, scheme}, "-"))
				}
				for _, r := range rooms {
					query := "/?room=" + url.QueryEscape(r.room)
					if r.room == "" {
						query = "/?subject=other.subject"
					}
					see(r.name, n.URL()+query, r.state, r.says)
				}
				see("offers", others.URL()+"/", "idle", "choose")
				see("reading", others.URL()+"/?subject=news.sports", "open", "open")
				see("nothing", closed.URL()+"/", "idle", "nothing")
				see("clock", n.URL()+"/clock", "open", "live")
			})
		}
	}
}

// nothingClipped checks that the page is no wider than the screen, that no text is longer than its box, and that what
// matters is in view.
func (p tab) nothingClipped(name string) {
	p.t.Helper()
	found, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`JSON.stringify([...document.querySelectorAll("body, body *")].flatMap(e => {
		if (e.offsetParent === null && e !== document.body || e.matches("input, textarea, .who, .unseen, .unseen *, .water, pre, pre *, #rows td")) return [];
		const box = e.getBoundingClientRect(), style = getComputedStyle(e), what = e.tagName + (e.id && "#" + e.id), found = [];
		if (box.right > innerWidth + 0.5 || box.left < -0.5) found.push(what + " is out of view");
		if (style.overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1) found.push(what + " is too wide");
		if (style.overflowY !== "visible" && e.scrollHeight > e.clientHeight + 1 && e !== document.body && !e.matches("#scroller, main")) found.push(what + " is too high");
		if (e.matches("#state, #composer, #reading, #offers *") && box.bottom > innerHeight) found.push(what + " is below the screen");
		return found;
	}))`))
	noError(p.t, err)
	if found != "[]" {
		p.t.Errorf("%s: %s", name, found)
	}
}

// picture writes what the page looks like, where that is wanted.
func (p tab) picture(name string) {
	p.t.Helper()
	if *screens == "" {
		return
	}
	p.waitFor(`document.getAnimations().every(animation => animation.playState === "finished")`)
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	noError(p.t, err)
	noError(p.t, os.WriteFile(filepath.Join(*screens, fmt.Sprint(name, ".png")), picture, 0o644))
}
