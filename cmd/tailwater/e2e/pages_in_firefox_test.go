package e2e

// The pages and the client in Firefox, which must do what they do in Chromium.

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

func TestPagesInFirefox(t *testing.T) {
	onlySoak(t)
	browser := startFirefox(t)
	for name, test := range map[string]func(*testing.T, *firefox){
		"chat":           testFirefoxChat,
		"come and go":    testFirefoxComeAndGo,
		"offline":        testFirefoxOffline,
		"gap":            testFirefoxGap,
		"back and forth": testFirefoxBackForward,
		"502":            testFirefoxProxyAnswers,
		"eight tabs":     testFirefoxTabs,
	} {
		t.Run(name, func(t *testing.T) {
			browser.t = t
			test(t, browser)
		})
	}
	browser.t = t
}

// The chat opens, brings messages, and comes back from a bridge that was killed, with what was written meanwhile. So do the clock and the inspector.
func testFirefoxChat(t *testing.T, browser *firefox) {
	b := startBridge(t, settings{"ANONYMOUS_SUBSCRIBE": "chat.>,time.>", "ANONYMOUS_PUBLISH": "chat.>", "DEMO_TIME": "true"})
	at := "http://" + b.address
	page, clock, inspect := browser.open(at+"/"), browser.open(at+"/clock"), browser.open(at+"/inspect?subject=chat.room1&since=1h")
	shows := func(texts string) {
		t.Helper()
		page.waitFor(`[...document.querySelectorAll("#log .own .what")].map(e => e.textContent).join() === ` + inJS(texts) + ` && !document.querySelector("#outbox *")`)
	}
	page.waitForState("open")
	inspect.waitForState("open")
	page.typeInto("#text", "before")
	shows("before")
	clock.waitFor(`/^\d{4}-.*Z$/.test(document.querySelector("#raw").textContent)`)
	inspect.waitFor(`document.querySelector("#rows").textContent.includes("chat.room1")`)
	b.kill()
	page.waitForState("offline")
	clock.waitForState("offline")
	page.typeInto("#text", "meanwhile")
	page.waitFor(`document.querySelectorAll("#outbox .message").length === 1`)
	b.start()
	page.waitForState("open")
	clock.waitForState("open")
	inspect.waitForState("open")
	page.typeInto("#text", "after")
	shows("before,meanwhile,after")
	for _, p := range []firefoxTab{page, clock, inspect} {
		p.close()
	}
}

// Eight tabs share one connection, and all can send. When the one that holds it is closed, the others miss nothing.
func testFirefoxTabs(t *testing.T, browser *firefox) {
	n := startNode(t, nil)
	url := n.URL() + "/events/chat.tabs"
	publishTo(t, url, "before")
	var tabs []firefoxTab
	want := "before"
	for range 8 {
		p := browser.open(n.URL() + "/web/anyone.json")
		p.value(`import("/client.js").then(client => {
			window.got = [];
			window.tailwater = client;
			window.room = client.connect("/events/chat.tabs?since=1h", {onmessage: ({data}) => got.push(data)});
		})`)
		p.waitFor(`room.state === "open"`)
		tabs = append(tabs, p)
	}
	if open := n.Live.Stats().Connections.Open; open != 1 {
		t.Errorf("%d connections are open, want 1 for all tabs", open)
	}
	for i, p := range tabs {
		text := fmt.Sprint("from ", i)
		p.value(`tailwater.publish("/events/chat.tabs", ` + inJS(text) + `).then(() => "sent")`)
		want += "," + text
	}
	for len(tabs) > 1 {
		for _, p := range tabs {
			p.waitFor(`got.join() === ` + inJS(want))
		}
		tabs[0].close()
		tabs = tabs[1:]
		text := fmt.Sprint("without ", 8-len(tabs))
		publishTo(t, url, text)
		want += "," + text
	}
	tabs[0].waitFor(`got.join() === ` + inJS(want))
	tabs[0].close()
}

// Two people see each other come and go. One of them in three tabs is one, and stays while a tab is left.
func testFirefoxComeAndGo(t *testing.T, browser *firefox) {
	n := startNode(t, nil)
	ada := browser.person().open(n.URL() + "/")
	ada.waitForState("open")
	ada.typeInto("#name", "Ada")
	ada.awaitHere(1, "Ada")
	person := browser.person()
	bob := person.open(n.URL() + "/")
	bob.waitForState("open")
	bob.typeInto("#name", "Bob")
	for _, page := range []firefoxTab{ada, bob} {
		page.awaitHere(2, "Ada", "Bob")
	}
	ada.awaitNotices("Bob joined") // and nothing of the guest that Bob was before

	tabs := []firefoxTab{person.open(n.URL() + "/"), person.open(n.URL() + "/")}
	for _, tab := range tabs {
		tab.awaitHere(2, "Ada", "Bob")
		tab.typeInto("#text", "from a tab")
	}
	tabs[0].close()
	bob.close()
	ada.waitFor(`document.querySelectorAll("#log .message").length === 2`)
	tabs[1].typeInto("#text", "still here")
	ada.waitFor(`[...document.querySelectorAll("#log .what")].at(-1)?.textContent === "still here"`)
	ada.awaitHere(2, "Ada", "Bob")
	tabs[1].close()
	ada.awaitHere(1, "Ada")
	ada.awaitNotices("Bob joined", "Bob left")
}

// awaitHere waits until the page says how many are here, and who.
func (p firefoxTab) awaitHere(count int, names ...string) {
	p.t.Helper()
	p.waitFor(fmt.Sprintf(`document.querySelector("#who summary").textContent === "%d here"`, count))
	for _, name := range names {
		p.waitFor(`[...document.querySelectorAll("#who .name")].some(e => e.textContent === ` + inJS(name) + `)`)
	}
}

// awaitNotices waits until the log has these lines between the messages, and no others.
func (p firefoxTab) awaitNotices(lines ...string) {
	p.t.Helper()
	p.waitFor(`[...document.querySelectorAll("#log .notice")].map(e => e.textContent).join() === ` + inJS(strings.Join(lines, ",")))
}

// What is written without a network is kept, also over a reload, and arrives once and in order when the network is back.
func testFirefoxOffline(t *testing.T, browser *firefox) {
	n := startNode(t, nil)
	ada, bob := browser.person().open(n.URL()+"/"), browser.person().open(n.URL()+"/")
	ada.waitForState("open")
	bob.waitForState("open")
	ada.setOffline(true)
	ada.waitForState("offline")
	ada.waitFor(`!document.querySelector("#offline").hidden && document.querySelector("#send").textContent === "Send later"`)
	for _, text := range []string{"one", "two"} {
		ada.typeInto("#text", text)
	}
	ada.waitFor(`[...document.querySelectorAll("#outbox .fate")].filter(e => e.textContent === "kept, not sent yet").length === 2`)
	publishTo(t, n.URL()+"/events/chat.room1", "from others")
	ada.setOffline(false)
	ada.waitForState("open")
	ada.waitFor(`document.querySelectorAll("#log .own").length === 2 && !document.querySelector("#outbox *") && document.querySelector("#offline").hidden`)
	for _, page := range []firefoxTab{ada, bob} {
		page.waitFor(`[...document.querySelectorAll("#log .what")].map(e => e.textContent).join() === "from others,one,two"`)
		page.close()
	}
}

// A page that was away for longer than messages are kept says so, once, where they are missing.
func testFirefoxGap(t *testing.T, browser *firefox) {
	page := browser.open("about:blank")
	testGapIsToldOnce(t, page, page.navigate)
	page.close()
}

// somePage is a page in either browser.
type somePage interface {
	waitFor(condition string)
	waitForState(state string)
}

// testGapIsToldOnce takes the bridge from a page, which then misses more messages than its stream keeps.
func testGapIsToldOnce(t *testing.T, page somePage, navigate func(url string)) {
	t.Helper()
	server := bridgetest.StartNATSServer(t)
	of := openToAll(settings{"NATS_URL": server.URL(), "HISTORY": "chat.>", "HISTORY_MAX_PER_SUBJECT": "3", "DEMO_TIME": "false"})
	first := startNode(t, of)
	publishTo(t, first.URL()+"/events/chat.room1", "one")
	navigate(first.URL() + "/")
	page.waitForState("open")
	page.waitFor(`document.querySelectorAll("#log .message").length === 1`)
	first.stop(t)
	page.waitForState("offline")
	stream := connectJetStream(t, server.URL())
	for _, text := range []string{"two", "three", "four", "five"} {
		if _, err := stream.Publish(t.Context(), "chat.room1", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	of["HTTP_LISTEN"] = first.Address().String()
	startNode(t, of)
	page.waitForState("open")
	page.waitFor(`[...document.querySelectorAll("#log .notice, #log .what")].map(e => e.textContent).join() ===
		"one,Some messages are missing here: the server no longer stores them.,three,four,five"`)
}

// A page that was left holds no connection. When the reader goes back it continues: Firefox loads it again, because it caches no page with a
// request under way, and what arrived meanwhile is shown once.
func testFirefoxBackForward(t *testing.T, browser *firefox) {
	n := startNode(t, nil)
	page := browser.open(n.URL() + "/")
	page.waitForState("open")
	page.typeInto("#text", "before")
	page.waitFor(`document.querySelectorAll("#log .own").length === 1 && !document.querySelector("#outbox *")`)
	page.navigate(n.URL() + "/web/wave.svg")
	eventually(t, "no connection", func() bool { return n.Live.Stats().Connections.Open == 0 })
	publishTo(t, n.URL()+"/events/chat.room1", "while the page was away")
	page.back()
	page.waitForState("open")
	page.waitFor(`[...document.querySelectorAll("#log .what")].map(e => e.textContent).join() === "before,while the page was away"`)
	page.waitFor(`document.querySelectorAll("#log .own").length === 1`)
	page.close()
}

// A proxy that answers 502 for ten seconds keeps nobody away. What is written meanwhile is sent once, and what others write arrives.
func testFirefoxProxyAnswers(t *testing.T, browser *firefox) {
	n := startNode(t, nil)
	proxy := startFailingProxy(t, n.URL())
	page, clock := browser.open(proxy.URL+"/"), browser.open(proxy.URL+"/clock")
	page.waitForState("open")
	clock.waitForState("open")
	proxy.mode.Store("502")
	proxy.cut()
	page.waitForState("offline")
	clock.waitForState("offline")
	page.typeInto("#text", "one")
	page.typeInto("#text", "two")
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
	page.close()
	clock.close()
}
