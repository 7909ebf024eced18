package e2e

// What matters most of the pages and the client, in Firefox.

import (
	"fmt"
	"testing"
)

func TestPagesInFirefox(t *testing.T) {
	onlySoak(t)
	browser := startFirefox(t)
	for name, test := range map[string]func(*testing.T, *firefox){"chat": testFirefoxChat, "eight tabs": testFirefoxTabs} {
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
	write := func(text string) {
		page.value(`(document.querySelector("#text").value = ` + inJS(text) + `, document.querySelector("#composer").requestSubmit())`)
	}
	shows := func(texts string) {
		t.Helper()
		page.waitFor(`[...document.querySelectorAll("#log .own .what")].map(e => e.textContent).join() === ` + inJS(texts) + ` && !document.querySelector("#outbox *")`)
	}
	page.waitForState("open")
	inspect.waitForState("open")
	write("before")
	shows("before")
	clock.waitFor(`/^\d{4}-.*Z$/.test(document.querySelector("#raw").textContent)`)
	inspect.waitFor(`document.querySelector("#rows").textContent.includes("chat.room1")`)
	b.kill()
	page.waitForState("offline")
	clock.waitForState("offline")
	write("meanwhile")
	page.waitFor(`document.querySelectorAll("#outbox .message").length === 1`)
	b.start()
	page.waitForState("open")
	clock.waitForState("open")
	inspect.waitForState("open")
	write("after")
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
