package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestInspect(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	inBrowser(t, map[string]func(*testing.T, context.Context){
		"events":  testInspectEvents,
		"restart": testInspectRestart,
		"token":   testInspectToken,
		"buffer":  testInspectBuffer,
	})
}

// says waits until an element of the page says something.
func (p tab) says(selector, words string) {
	p.t.Helper()
	p.waitFor(`document.querySelector(` + inJS(selector) + `)?.textContent.includes(` + inJS(words) + `)`)
}

// Events stand in the table with all that came: headers, and bytes. What the page does is there to be copied.
func testInspectEvents(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	p := openTab(t, browser, n.URL()+"/inspect?subject=chat.look&since=1h")
	p.waitForState("open")
	p.says("#moments .open", "open at")
	p.do(
		chromedp.SetValue("#payload", `<b onclick="x">{"a":1}</b>`),
		chromedp.SetValue("#event", "order"),
		chromedp.SetValue("#key", "k1"),
		chromedp.Click("#send button"),
	)
	p.says("#receipt", `201 {"subject":"chat.look"`)
	p.says("#rows", "order")
	p.do(chromedp.Click(`#rows tr:first-child button`))
	p.says("#rows .more", "Tailwater-Event: order")
	p.says("#rows .more pre", `event: order`)
	p.says("#rows .more pre", `id: `+extent(t, n.URL()+"/events/chat.look"))
	p.waitFor(`!document.querySelector("#rows b") && document.querySelector("#cursor").textContent === ` + inJS(extent(t, n.URL()+"/events/chat.look")))
	p.do(chromedp.Click("#send button"))
	p.says("#receipt", `"duplicate":true`)
	for kind, code := range map[string]string{
		"curl": "curl -N '" + n.URL() + "/events/chat.look?since=1h&format=json'", "nats": "sub chat.look --since=1h",
		"EventSource": `new EventSource("` + n.URL() + "/events/chat.look?since=1h", "Go": `http.NewRequest("GET", "` + n.URL() + `/events/chat.look?since=1h"`,
	} {
		p.do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#kinds button")].find(button => button.textContent === ` + inJS(kind) + `).click()`))
		p.says("#code", code)
	}
	p.waitFor(`document.querySelector("#count").textContent === "1" && document.querySelectorAll("#rates .bar").length > 0`)
	p.waitFor(`/^[1-9]\d* B$/.test(document.querySelector("#bytes").textContent)`)
}

// The timeline tells what has happened to the connection, and a refusal is told in the bridge's words.
func testInspectRestart(t *testing.T, browser context.Context) {
	first := startNode(t, nil)
	p := openTab(t, browser, first.URL()+"/inspect?subject=chat.look")
	p.waitForState("open")
	first.stop(t)
	p.says("#moments", "the bridge ends the connection (drain)")
	p.waitForState("offline")
	startNode(t, settings{"HTTP_LISTEN": first.Address().String()})
	p.waitForState("open")
	p.says("#moments .reset", "recreated")
	p.says("#state", "reconnected 1×")
	p.do(chromedp.Click("#read"))
	p.waitForState("idle")
	p.do(chromedp.SetValue("#subject", "other"), chromedp.Click("#read"))
	p.waitForState("refused")
	p.says("#state", "no permission to read")
}

// A token that is pasted is sent, and stands nowhere else: in no URL, no code and no storage.
func testInspectToken(t *testing.T, browser context.Context) {
	n := startNode(t, signedIn(nil))
	claims := claimsOf("alice", "")
	claims.NATS.Sub.Allow = []string{"secret.>"}
	token := sign(t, tokenSecret, claims)
	p := openTab(t, browser, n.URL()+"/inspect?subject=secret.a")
	p.waitForState("refused")
	p.do(chromedp.SetValue("#token", token), chromedp.Click("#read"))
	p.waitForState("open")
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#ask").dispatchEvent(new Event("input"))`))
	p.says("#code", `-H "Authorization: Bearer $TOKEN"`)
	p.waitFor(`![location.href, document.body.textContent, JSON.stringify(localStorage), JSON.stringify(sessionStorage), JSON.stringify(history.state)].join().includes(` + inJS(token) + `)`)
}

// A proxy that collects what it passes on is found, and named.
func testInspectBuffer(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	p := openTab(t, browser, n.URL()+"/inspect?subject=chat.buffer")
	p.waitForState("open")
	p.do(chromedp.Click("#test"))
	p.says("#verdict .good", "nothing in between buffers")
	p.says("#verdict", "over http/1.1. No header names a proxy")

	target, err := url.Parse(n.URL())
	noError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(response *http.Response) error {
		response.Header.Set("Via", "1.1 collector")
		if response.Header.Get("Content-Type") == "text/event-stream" {
			response.Body = &collectorBody{ReadCloser: response.Body}
		}
		return nil
	}
	collector := startServer(t, proxy)
	p.do(chromedp.Navigate(collector + "/inspect"))
	p.do(chromedp.SetValue("#to", "chat.buffer"), chromedp.Click("#test"))
	p.says("#verdict .bad", "something in between buffers")
	p.says("#verdict", "Via: 1.1 collector")
}

// collectorBody passes on the first event at once, and the five messages of the test together.
type collectorBody struct {
	io.ReadCloser
	passed bool
	held   []byte
}

func (c *collectorBody) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b[:min(len(b), 1024)])
	c.held = append(c.held, b[:n]...)
	messages := bytes.Count(c.held, []byte("data: inspect-"))
	if isFirst := !c.passed && bytes.Contains(c.held, []byte("\n\n")); !isFirst && messages < 5 {
		return 0, err
	}
	c.passed = true
	n = copy(b, c.held)
	c.held = c.held[n:]
	return n, err
}

// Nothing of the page is clipped, on a phone and on a desktop, by day and by night, in both languages.
func TestPagesInspectOnScreens(t *testing.T) {
	onlySoak(t)
	n := startNode(t, nil)
	browser := startBrowser(t)
	for _, l := range looks() {
		t.Run(l.String(), func(t *testing.T) {
			p, _ := openPerson(t, browser, "about:blank")
			p.apply(l)
			room := "chat." + l.String()
			p.do(chromedp.Navigate(n.URL() + "/inspect?subject=" + room + "&since=1h"))
			p.waitForState("open")
			publishTo(t, n.URL()+"/events/"+room, `{"name":"Ada","text":"hello"}`, "from nats pub", strings.Repeat("long ", 200))
			p.waitFor(`document.querySelectorAll("#rows tr").length >= 6 && document.querySelectorAll("#rates .bar").length > 0`)
			p.do(chromedp.Click(`#rows tr:nth-child(3) button`), chromedp.Click("#test"))
			p.waitFor(`document.querySelector("#verdict .good") !== null`)
			p.do(chromedp.EmulateViewport(l.width, 2400), chromedp.Evaluate[chromedp.Void](`scrollTo(0, 0)`))
			p.nothingClipped("inspect")
			p.picture("inspect-" + l.String())
		})
	}
}
