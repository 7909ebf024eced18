package e2e

// However the server ends a connection, browsers are told why and come back.

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

func TestPagesComeBack(t *testing.T) {
	onlySoak(t)
	inBrowser(t, map[string]func(*testing.T, context.Context){
		"age":   testAge,
		"busy":  testBusy,
		"drain": testDrained,
		"kill":  testKilled,
		"502":   testProxyAnswers,
		"HTTP2": testHTTP2End,
		"nginx": testHTTP2Proxy,
		"gap":   testGap,
	})
}

// said notes whatever the state of the page says from now on.
func (p tab) said() {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](`said = []; new MutationObserver(() => said.push(document.querySelector("#state").textContent))
		.observe(document.querySelector("#state"), {childList: true, characterData: true, subtree: true}); 0`))
}

func (p tab) hasSaid(words string) {
	p.t.Helper()
	p.waitFor(`said.some(words => words.startsWith(` + inJS(words) + `))`)
}

func testAge(t *testing.T, browser context.Context) {
	n := startNode(t, settings{"LIMIT_CONNECTION_AGE": "1s"})
	page := openTab(t, browser, n.URL()+"/")
	page.waitForState("open")
	page.said()
	page.hasSaid("renewing the connection, reconnecting")
	page.hasSaid("open · reconnected 2×")
	if status, body := post(t, n.URL()+"/events/chat.room1", "still here"); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	page.waitForMessage("", "still here")
}

// Where there is no room the page says so, and is served once there is.
func testBusy(t *testing.T, browser context.Context) {
	n := startNode(t, settings{"LIMIT_CONNECTIONS": "1"})
	first, _ := subscribe(t, n.URL()+"/events/chat.room1", "")
	page := openTab(t, browser, n.URL()+"/")
	page.waitFor(`document.querySelector("#state").textContent.startsWith("the server is full, reconnecting")`)
	page.waitFor(`document.querySelector("#state").dataset.state === "offline"`)
	first.body.Close()
	page.waitForState("open")
}

func testDrained(t *testing.T, browser context.Context) {
	b := startBridge(t, settings{"DRAIN_WINDOW": "100ms", "ANONYMOUS_SUBSCRIBE": "chat.>,time.>", "DEMO_TIME": "true"})
	page := openTab(t, browser, "http://"+b.address+"/")
	clock := openTab(t, browser, "http://"+b.address+"/clock")
	page.waitForState("open")
	clock.waitForState("open")
	page.said()
	noError(t, b.cmd.Process.Signal(syscall.SIGTERM))
	page.hasSaid("the server is restarting, reconnecting")
	if err := b.cmd.Wait(); err != nil {
		t.Error(err)
	}
	clock.waitForState("offline")
	b.start()
	page.hasSaid("open · reconnected 1×")
	clock.waitForState("open")
}

func testKilled(t *testing.T, browser context.Context) {
	b := startBridge(t, settings{"ANONYMOUS_SUBSCRIBE": "chat.>,time.>", "DEMO_TIME": "true"})
	page := openTab(t, browser, "http://"+b.address+"/")
	clock := openTab(t, browser, "http://"+b.address+"/clock")
	page.waitForState("open")
	clock.waitForState("open")
	page.said()
	b.kill()
	page.hasSaid("no connection, reconnecting")
	clock.waitForState("offline")
	b.start()
	page.hasSaid("open · reconnected 1×")
	clock.waitForState("open")
}

// A proxy that answers 502 for ten seconds, as it does while the bridge restarts, keeps nobody away. What is written meanwhile is sent once, and what
// others write arrives.
func testProxyAnswers(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	proxy := startFailingProxy(t, n.URL())
	page := openTab(t, browser, proxy.URL+"/")
	clock := openTab(t, browser, proxy.URL+"/clock")
	page.waitForState("open")
	clock.waitForState("open")
	proxy.mode.Store("502")
	proxy.cut()
	page.waitForState("offline")
	clock.waitForState("offline")
	page.do(chromedp.SendKeys("#text", "one\rtwo\r"))
	publishTo(t, n.URL()+"/events/chat.room1", "from others")
	over := time.After(10 * time.Second) // the fault itself takes so long
	<-over
	proxy.mode.Store("")
	page.waitForState("open")
	clock.waitForState("open")
	page.waitFor(`[...document.querySelectorAll("#log .what")].map(e => e.textContent).join() === "from others,one,two" && !document.querySelector("#outbox *")`)
	if proxy.failed.Load() < 4 {
		t.Errorf("the proxy has answered 502 only %d times", proxy.failed.Load())
	}
}

// A page that was away for longer than messages are kept says so, once, where they are missing.
func testGap(t *testing.T, browser context.Context) {
	page := openTab(t, browser, "about:blank")
	testGapIsToldOnce(t, page, func(url string) { page.do(chromedp.Navigate(url)) })
}

// A reset of a stream of HTTP/2 overtakes what Chromium has not read of it. So the end comes a moment behind the event that tells
// of it, whether the bridge resets the stream or a proxy does.
func testHTTP2End(t *testing.T, browser context.Context) {
	files, _ := newIssuer(t).settings()
	for name, value := range map[string]string{"LIMIT_CONNECTION_AGE": "1s", "LIMIT_CONNECTIONS": "10"} {
		files[name] = value
	}
	n := startNode(t, files)
	endsTold(t, browser, n.URL(), "age", "busy")
}

func testHTTP2Proxy(t *testing.T, browser context.Context) {
	files, _ := newIssuer(t).settings()
	n := startNode(t, settings{"LIMIT_CONNECTION_AGE": "1s", "LIMIT_CONNECTIONS": "10"})
	front := nginx
	front.config = strings.Replace(front.config, "listen %[2]s;",
		"listen %[2]s ssl http2; ssl_certificate "+files["HTTP_TLS_CERT"]+"; ssl_certificate_key "+files["HTTP_TLS_KEY"]+";", 1)
	endsTold(t, browser, strings.Replace(front.start(t, n.Address().String()), "http:", "https:", 1), "age", "busy")
}

// endsTold opens more streams than there is room for, and expects that each end was announced, for these reasons.
func endsTold(t *testing.T, browser context.Context, url string, reasons ...string) {
	t.Helper()
	page := openTab(t, browser, url+"/web/icon.svg")
	page.do(chromedp.Evaluate[chromedp.Void](`ends = [];
		for (let i = 0; i < 16; i++) { // more than may be open, and no more than may be told so at once
			const source = new EventSource("/events/chat.room" + i);
			let told = "nothing";
			source.addEventListener("tailwater:close", event => told = JSON.parse(event.data).reason);
			source.onerror = () => { ends.push(source.readyState === EventSource.CLOSED ? "closed" : told); told = "nothing"; };
		}; 0`))
	page.waitFor(`ends.length >= 60`)
	for _, reason := range reasons {
		page.waitFor(`ends.includes("` + reason + `")`)
	}
	page.waitFor(`performance.getEntriesByType("navigation")[0].nextHopProtocol === "h2"`)
	got, err := chromedp.Run(page.ctx, chromedp.Evaluate[string](`JSON.stringify(ends.filter(told => told === "nothing" || told === "closed"))`))
	noError(t, err)
	if got != "[]" {
		t.Errorf("ends that nobody was told of: %s", got)
	}
}
