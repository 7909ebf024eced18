package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// A bridge that stops says so, and one that is started again finds its reader where it was.
func testClientRestart(t *testing.T, browser context.Context) {
	dir := t.TempDir()
	first := startNode(t, settings{"EMBED_DIR": dir})
	p := openClient(t, browser, first.URL(), "/events/chat.restart", "")
	publishTo(t, first.URL()+"/events/chat.restart", "one")
	p.hasGot("one")
	first.stop(t)
	p.waitFor(`room.state === "offline" && states.includes("offline drain")`)
	second := startNode(t, settings{"EMBED_DIR": dir, "HTTP_LISTEN": first.Address().String()})
	publishTo(t, second.URL()+"/events/chat.restart", "two")
	p.waitFor(`room.state === "open"`)
	p.hasGot("one", "two")
}

// A device without a network is told so at once, and comes back as soon as there is one.
func testClientOffline(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	p := openClient(t, browser, n.URL(), "/events/chat.offline", "")
	p.setOffline(true)
	p.waitFor(`room.state === "offline"`)
	p.do(chromedp.Evaluate[chromedp.Void](`for (const text of ["a", "b", "c"]) tailwater.publish(at + "/events/chat.offline", text); 0`))
	publishTo(t, n.URL()+"/events/chat.offline", "from others")
	p.setOffline(false)
	p.waitFor(`room.state === "open"`)
	p.hasGot("from others", "a", "b", "c")
}

func (p tab) setOffline(offline bool) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulateNetworkConditions, network.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1})
		return err
	}))
}

// emulateNetworkConditions cuts connections and changes navigator.onLine, which what replaces it does not.
var emulateNetworkConditions = cdp.Command[network.OverrideNetworkStateParams, cdp.Empty]{Method: "Network.emulateNetworkConditions"}

// A page in the back-forward cache holds no connection and no lock. When it is shown again, it continues.
func testClientBackForward(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	p := openClient(t, browser, n.URL(), "/events/chat.back", "")
	p.do(chromedp.Evaluate[chromedp.Void](`addEventListener("pageshow", ({persisted}) => window.persisted = persisted)`))
	p.do(chromedp.Navigate(n.URL() + "/web/wave.svg"))
	eventually(t, "no connection", func() bool { return n.Live.Stats().Connections.Open == 0 })
	publishTo(t, n.URL()+"/events/chat.back", "while the page was away")
	p.do(chromedp.Evaluate[chromedp.Void](`history.back(); 0`))
	eventually(t, "the page is back, and has what was published", func() bool { // Poll of chromedp knows the page by another name
		isBack, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`window.persisted === true && got.join() === "while the page was away" && room.state === "open"`))
		return err == nil && isBack
	})
}

// If asked for, a page that is loaded again continues behind what it has shown, and knows who was there.
func testClientReload(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	const path = "/events/chat.reload?presence=1&name=Ada"
	p := openClient(t, browser, n.URL(), path, "keep: true")
	publishTo(t, n.URL()+"/events/chat.reload", "one")
	p.hasGot("one")
	p.waitFor(`other.some(([name, {count}]) => name === "presence" && count === 1)`)
	p.do(chromedp.Navigate(n.URL() + "/web/wave.svg"))
	publishTo(t, n.URL()+"/events/chat.reload", "two")
	p.do(chromedp.Navigate(n.URL() + "/web/anyone.json"))
	p.connectClient(n.URL(), path, "keep: true")
	p.hasGot("two")
	p.waitFor(`other.some(([name, {type, count}]) => name === "presence" && type === "state" && count === 1)`)
}

// A tab that nobody sees can be spared all but the newest message of each subject.
func testClientHidden(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	p := openClient(t, browser, n.URL(), "/events?subject=chat.a&subject=chat.b", "conflate: true")
	hide := func(hidden bool) {
		p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`Object.defineProperty(document, "hidden", {value: %t, configurable: true});
			document.dispatchEvent(new Event("visibilitychange", {bubbles: true})); 0`, hidden)))
	}
	hide(true)
	publishTo(t, n.URL()+"/events/chat.a", "a1", "a2")
	publishTo(t, n.URL()+"/events/chat.b", "b1", "b2")
	publishTo(t, n.URL()+"/events/chat.a", "a3")
	last := extent(t, n.URL()+"/events?subject=chat.a&subject=chat.b")
	p.waitFor(`room.lastEventId === ` + inJS(last))
	p.hasGot()
	hide(false)
	p.hasGot("b2", "a3")
}
