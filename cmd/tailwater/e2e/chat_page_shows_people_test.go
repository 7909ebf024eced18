package e2e

// People on the chat page: who is here, and what becomes of their messages when there is no connection.

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

func TestPeople(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	inBrowser(t, map[string]func(*testing.T, context.Context){
		"come and go":  testComeAndGo,
		"offline":      testTypedOffline,
		"reload":       testReload,
		"older":        testLoadOlder,
		"what is said": testWhatIsSaid,
		"renamed":      testRenamed,
	})
}

// openPerson opens a page in a browser of its own, which keeps nothing of the others: as somebody else's does.
func openPerson(t *testing.T, browser context.Context, url string) (page tab, another func() tab) {
	t.Helper()
	own, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	noError(t, chromedp.Do(own))
	another = func() tab { return openTabFor(t, own, url, 3*patience) }
	return another(), another
}

// name gives the person on a page another name.
func (p tab) name(name string) {
	p.t.Helper()
	p.do(chromedp.SetValue("#name", name), chromedp.SendKeys("#name", "\r"))
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#name").dispatchEvent(new Event("change"))`))
}

// awaitHere waits until the page says how many are here, and who.
func (p tab) awaitHere(count int, names ...string) {
	p.t.Helper()
	p.waitFor(fmt.Sprintf(`document.querySelector("#who summary").textContent === "%d here"`, count))
	for _, name := range names {
		p.waitFor(`[...document.querySelectorAll("#who .name")].some(e => e.textContent === ` + inJS(name) + `)`)
	}
}

func (p tab) awaitNotice(words string) {
	p.t.Helper()
	p.waitFor(`[...document.querySelectorAll("#log .notice")].some(e => e.textContent.includes(` + inJS(words) + `))`)
}

// Two people see each other come and go. One of them in three tabs is one, and stays while a tab is left.
func testComeAndGo(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	ada, _ := openPerson(t, browser, n.URL()+"/")
	ada.waitForState("open")
	ada.name("Ada")
	ada.awaitHere(1, "Ada")
	bob, another := openPerson(t, browser, n.URL()+"/")
	bob.waitForState("open")
	bob.name("Bob")
	ada.awaitHere(2, "Ada", "Bob")
	bob.awaitHere(2, "Ada", "Bob")
	ada.awaitNotice("Bob joined")

	tabs := []tab{another(), another()}
	for _, tab := range tabs {
		tab.awaitHere(2, "Ada", "Bob")
	}
	// The guest that Bob was for a moment has left: nothing is said of that.
	ada.waitFor(`[...document.querySelectorAll("#log .notice")].map(e => e.textContent).join() === "Bob joined"`)
	leave := func(p tab) { p.do(chromedp.Navigate("about:blank")) }
	leave(tabs[0])
	leave(tabs[1])
	bob.do(chromedp.SendKeys("#text", "still here\r"))
	ada.waitForMessage("Bob", "still here")
	ada.awaitHere(2, "Ada", "Bob")
	leave(bob)
	ada.awaitNotice("Bob left")
	ada.awaitHere(1, "Ada")
}

// Who has arrived later than a guest is not told that the guest leaves, who only chooses a name. If a guest who has written leaves, all are told.
func testRenamed(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	bob, _ := openPerson(t, browser, n.URL()+"/")
	bob.waitForState("open")
	guest := bob.value(`document.querySelector("#name").value`)
	bob.awaitHere(1, guest)
	late, _ := openPerson(t, browser, n.URL()+"/")
	late.awaitHere(2, guest)
	bob.name("Bob")
	late.awaitNotice("Bob joined")
	late.awaitHere(2, "Bob") // and no longer the guest
	late.waitFor(`[...document.querySelectorAll("#log .notice")].map(e => e.textContent).join() === "Bob joined"`)

	other, _ := openPerson(t, browser, n.URL()+"/")
	other.waitForState("open")
	left := other.value(`document.querySelector("#name").value`)
	other.do(chromedp.SendKeys("#text", "hello\r"))
	late.waitForMessage(left, "hello")
	other.do(chromedp.Navigate("about:blank"))
	late.awaitNotice(left + " left")
}

// emulateNetwork cuts a page off, or connects it again.
func (p tab) emulateNetwork(isOffline bool) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Offline: isOffline, DownloadThroughput: -1, UploadThroughput: -1}},
		})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, target, network.OverrideNetworkState, network.OverrideNetworkStateParams{
			Offline: isOffline, DownloadThroughput: -1, UploadThroughput: -1,
		})
		return err
	}))
}

// What is written while there is no network is shown at once, kept, and arrives once and in order.
func testTypedOffline(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	ada, _ := openPerson(t, browser, n.URL()+"/")
	bob, _ := openPerson(t, browser, n.URL()+"/")
	ada.waitForState("open")
	bob.waitForState("open")
	ada.emulateNetwork(true)
	ada.waitForState("offline")
	ada.waitFor(`!document.querySelector("#offline").hidden && document.querySelector("#send").textContent === "Send later"`)
	for _, text := range []string{"one", "two"} {
		ada.do(chromedp.SendKeys("#text", text+"\r"))
	}
	ada.waitFor(`[...document.querySelectorAll("#outbox .fate")].filter(e => e.textContent === "kept, not sent yet").length === 2`)
	ada.waitFor(`Object.keys(localStorage).filter(key => key.startsWith("tailwater.out.")).length === 2`)
	ada.emulateNetwork(false)
	ada.waitForState("open")
	bob.waitForMessage("guest", "two")
	ada.waitFor(`document.querySelectorAll("#log .own").length === 2 && !document.querySelector("#outbox *") && document.querySelector("#offline").hidden`)
	bob.waitFor(`[...document.querySelectorAll("#log .what")].map(e => e.textContent).join() === "one,two" && !document.querySelector("#log .own")`)
	ada.waitFor(`!document.querySelector("#who").hidden`)
	ada.waitFor(`!Object.keys(localStorage).some(key => key.startsWith("tailwater.out."))`)
}

const laidOut = `{
  "order": "A-1204",
  "items": [
    {
      "sku": "pump-12",
      "count": 12345678901234567890
    }
  ],
  "note": "a \"b\" {c}, d: e"
}`

// Long texts are cut until all is asked for, JSON is laid out, addresses of the Web are links and others are not.
func testWhatIsSaid(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	page, _ := openPerson(t, browser, n.URL()+"/?room=said")
	page.waitForState("open")
	for _, text := range []string{
		`{"order":"A-1204","items":[{"sku":"pump-12","count":12345678901234567890}],"note":"a \"b\" {c}, d: e"}`,
		"see https://example.com/a?b=1, not javascript:alert(1) or ftp://example.com",
		fmt.Sprintf("%01000d", 7),
	} {
		if status, body := post(t, n.URL()+"/events/chat.said", text); status != 201 {
			t.Fatalf("%d %s", status, body)
		}
	}
	page.waitFor(`[...document.querySelectorAll("#log .what")].some(e => e.textContent === ` + inJS(laidOut) + `)`)
	page.waitFor(`[...document.querySelectorAll("#log a")].map(a => a.href + " " + a.rel).join() === "https://example.com/a?b=1 noopener noreferrer nofollow ugc"`)
	page.waitFor(`[...document.querySelectorAll("#log .what")].at(-1).textContent.length === 801`)
	page.do(chromedp.Click("#log .message > .small"))
	page.waitFor(`[...document.querySelectorAll("#log .what")].at(-1).textContent.length === 1000 && !document.querySelector("#log .small")`)
	// The room was empty: nothing older is offered.
	page.waitFor(`document.querySelectorAll("#log .message").length === 3 && document.querySelector("#older").hidden`)
}

// A message that was written without a network survives a reload of the page, and is stored once: also if it was stored before, and the page has
// not learnt it. After another reload the page still knows which messages are its own.
func testReload(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	ada, _ := openPerson(t, browser, n.URL()+"/")
	ada.waitForState("open")
	ada.emulateNetwork(true)
	ada.waitForState("offline")
	for _, text := range []string{"one", "two"} {
		ada.do(chromedp.SendKeys("#text", text+"\r"))
	}
	ada.waitFor(`document.querySelectorAll("#outbox .message").length === 2`)
	ada.do(chromedp.Evaluate[chromedp.Void](`kept = Object.fromEntries(Object.entries(localStorage).filter(([key]) => key.startsWith("tailwater.out."))); 0`))
	kept := ada.value(`JSON.stringify(kept)`)
	ada.emulateNetwork(false)
	ada.waitForState("open")
	ada.waitFor(`!document.querySelector("#outbox *") && !Object.keys(localStorage).some(key => key.startsWith("tailwater.out."))`)

	// As if the page had been closed before the answers came.
	ada.do(chromedp.Evaluate[chromedp.Void](`Object.entries(` + kept + `).forEach(([key, value]) => localStorage.setItem(key, value)); localStorage.removeItem("tailwater.mine"); 0`))
	for range 2 {
		ada.do(chromedp.Reload())
		ada.waitForState("open")
		ada.waitFor(`[...document.querySelectorAll("#log .own .what")].map(e => e.textContent).join() === "one,two" && !document.querySelector("#outbox *")`)
		ada.waitFor(`!Object.keys(localStorage).some(key => key.startsWith("tailwater.out.")) && JSON.parse(localStorage["tailwater.mine"]).length === 2`)
	}
	ada.waitFor(`document.querySelectorAll("#log .message").length === 2`)
	stranger, _ := openPerson(t, browser, n.URL()+"/")
	stranger.waitFor(`document.querySelectorAll("#log .message").length === 2 && !document.querySelector("#log .own")`)
}

// A page shows the last 500 lines. What is older is loaded at a click, a page at a time: in order, nothing twice, until the beginning.
func testLoadOlder(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	conn := publisher(t, n.NATSURL())
	const all = 730
	for i := 1; i <= all; i++ {
		noError(t, conn.Publish("chat.long", fmt.Append(nil, i)))
	}
	page, _ := openPerson(t, browser, n.URL()+"/?room=long")
	shows := func(from int) {
		t.Helper()
		page.waitFor(fmt.Sprintf(`shown = [...document.querySelectorAll("#log .what")].map(e => +e.textContent), shown[0] === %d && shown.at(-1) === %d`, from, all))
		page.waitFor(fmt.Sprintf(`shown.length === %d && shown.every((number, i) => number === %[2]d + i)`, all-from+1, from))
	}
	shows(231)
	for _, from := range []int{131, 31, 1} {
		page.do(chromedp.Click("#older"))
		shows(from)
	}
	page.do(chromedp.Click("#older"))
	page.awaitNotice("No older messages are stored")
	page.waitFor(`document.querySelector("#older").hidden`)
}
