package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"
)

// scripts are messages that run on pages which take them for markup. EVIL stands for a server that waits to hear of it.
var scripts = []string{
	`<script>pwned=1</script>`, `<script src="EVIL/x.js"></script>`, `</div><script>pwned=1</script>`, `<img src=x onerror="pwned=1">`, `<img src="EVIL/x.png">`, `<IMG SRC=x OnError=pwned=1>`,
	`<svg onload=pwned=1>`, `<svg><script>pwned=1</script></svg>`, `<svg><animate onbegin=pwned=1 attributeName=x dur=1s>`, `<iframe src="javascript:parent.pwned=1"></iframe>`, `<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`,
	`<iframe src="EVIL/frame"></iframe>`, `<object data="EVIL/x"></object>`, `<embed src="EVIL/x">`, `<link rel=stylesheet href="EVIL/x.css">`, `<link rel=prefetch href="EVIL/x">`, `<style>@import "EVIL/x.css"</style>`, `<style>*{background:url(EVIL/x)}</style>`,
	`<base href="EVIL/">`, `<meta http-equiv=refresh content="0;url=EVIL/">`, `<form action="EVIL/"><input autofocus onfocus=pwned=1></form>`, `<input autofocus onfocus=pwned=1>`, `<video src=x onerror=pwned=1>`, `<audio src="EVIL/x">`, `<video poster="EVIL/x">`,
	`<details open ontoggle=pwned=1>`, `<body onload=pwned=1>`, `<marquee onstart=pwned=1>`, `<a href="javascript:pwned=1" autofocus>x</a>`, `<a ping="EVIL/x" href="#">x</a>`, `<math><mtext><table><mglyph><style><img src=x onerror=pwned=1>`,
	`<noscript><p title="</noscript><img src=x onerror=pwned=1>">`, `<template><script>pwned=1</script></template>`, `<!--><img src=x onerror=pwned=1>-->`, `<![CDATA[><script>pwned=1</script>]]>`, `"><script>pwned=1</script>`, `' onmouseover='pwned=1`, "`${pwned=1}`",
	`{{constructor.constructor('pwned=1')()}}`, `${pwned=1}`, `javascript:pwned=1`, `data:text/html,<script>pwned=1</script>`, `\u003cscript\u003epwned=1\u003c/script\u003e`, `&lt;script&gt;pwned=1&lt;/script&gt;`, `%3Cscript%3Epwned=1%3C/script%3E`,
	"<script>\u2028pwned=1\u2029</script>", "\ufeff<script>pwned=1</script>", "<scr\x00ipt>pwned=1</scr\x00ipt>", "+ADw-script+AD4-pwned=1+ADw-/script+AD4-", "\r\ndata: <script>pwned=1</script>\r\n\r\n", "\n\nevent: tailwater:close\ndata: {}\n\n", "\x1b]0;pwned\x07",
	`{"__proto__":{"pwned":1}}`, `{"constructor":{"prototype":{"pwned":1}}}`, `{"name":{"toString":"pwned"},"text":"x"}`, `{"text":["<img src=x onerror=pwned=1>"]}`,
}

// evil is a server of somebody else. It serves one page, and counts what it is asked for besides.
type evil struct {
	*httptest.Server
	heard atomic.Int64
}

func startEvil(t *testing.T, page string) *evil {
	t.Helper()
	e := &evil{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/page":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, page)
		case "/favicon.ico": // the browser's own wish
			http.NotFound(w, r)
		default:
			e.heard.Add(1)
		}
	}))
	t.Cleanup(e.Close)
	return e
}

func TestHostilePages(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	inBrowser(t, map[string]func(*testing.T, context.Context){
		"scripts":      testScriptsAreText,
		"inspect":      testScriptsAreInspected,
		"depth":        testDeepMessageIsShown,
		"other origin": testOtherOrigin,
		"rebinding":    testRebinding,
		"frame":        testFrame,
	})
}

// Whatever is published over NATS is text on the chat page: in a message, in a name, in the name of the room.
func testScriptsAreText(t *testing.T, browser context.Context) {
	n, evil := startNode(t, nil), startEvil(t, "")
	page := openTab(t, browser, n.URL()+"/")
	page.waitForState("open")
	page.do(chromedp.Evaluate[chromedp.Void](`violations = []; addEventListener("securitypolicyviolation", e => violations.push(e.blockedURI))`))
	conn := publisher(t, n.NATSURL())
	publish := func(text string) {
		noError(t, conn.Publish("chat.room1", []byte(text)))
	}
	for _, script := range scripts {
		script = strings.ReplaceAll(script, "EVIL", evil.URL)
		said, err := json.Marshal(map[string]string{"name": script, "text": script})
		noError(t, err)
		publish(script)
		publish(string(said))
	}
	publish("the end")
	page.waitForMessage("", "the end")
	page.waitFor(fmt.Sprintf(`document.querySelectorAll("#log .message").length === %d`, 2*len(scripts)+1))
	page.nothingRan()

	for _, script := range scripts[:4] {
		room := openTab(t, browser, n.URL()+"/?room="+url.QueryEscape(strings.ReplaceAll(script, "EVIL", evil.URL)))
		room.waitFor(`document.querySelector("#state").dataset.state !== undefined && document.title.endsWith("Tailwater")`)
		room.nothingRan()
	}
	if heard := evil.heard.Load(); heard > 0 {
		t.Errorf("the other server heard %d requests", heard)
	}
}

// Whatever is published is text on the inspecting page too: subjects, names of events, headers and payloads, also if a payload looks like the
// bridge's own envelope, which it is not where the page reads raw payloads, even when the form says another format by then.
func testScriptsAreInspected(t *testing.T, browser context.Context) {
	n, evil := startNode(t, settings{"ANONYMOUS_WILDCARDS": "true"}), startEvil(t, "")
	conn := publisher(t, n.NATSURL())
	for format, subjects := range map[string]int{"json": len(scripts) + 1, "raw": 1} { // where a subject is not known, the filter stands
		page := openTab(t, browser, n.URL()+"/inspect?subject=chat.look.>&since=new&format="+format)
		page.waitForState("open")
		page.do(chromedp.Evaluate[chromedp.Void](`violations = []; addEventListener("securitypolicyviolation", e => violations.push(e.blockedURI))`))
		page.do(chromedp.SetValue("#format", "json"))
		for i, script := range scripts {
			publishScript(t, conn, i, strings.ReplaceAll(script, "EVIL", evil.URL))
		}
		page.waitFor(fmt.Sprintf(`document.querySelectorAll("#rows tr:not(.more)").length === %d`, 2*len(scripts)+1))
		page.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("#rows button").forEach(button => button.click())`))
		page.waitFor(`document.querySelectorAll("#rows .more pre").length === document.querySelectorAll("#rows .more").length`)
		page.waitFor(`document.querySelector("#rows").querySelectorAll(":not(tr):not(td):not(button):not(p):not(pre)").length === 0`)
		page.waitFor(fmt.Sprintf(`new Set([...document.querySelectorAll("#rows .subject")].map(({textContent}) => textContent)).size === %d`, subjects))
		page.waitFor(`[...document.querySelectorAll("#rows .subject")].every(({textContent}) => textContent.startsWith("chat.look."))`)
		page.nothingRan()
	}
	if heard := evil.heard.Load(); heard > 0 {
		t.Errorf("the other server heard %d requests", heard)
	}
}

// publishScript publishes a script as everything that a message has, and again with a payload that looks like an envelope.
func publishScript(t *testing.T, conn *nats.Conn, i int, script string) {
	t.Helper()
	line := strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, script)
	token := strings.Trim(strings.NewReplacer(" ", "_", ".", "_", "*", "_", ">", ")", "\ufeff", "").Replace(line), "\u2028\u2029")
	forged := fmt.Sprintf(`{"subject":{"a":%q},"headers":{"x":null},"data":%q}`, line, line)
	for _, payload := range []string{script, forged} {
		m := nats.Msg{Subject: fmt.Sprintf("chat.look.%d.%.60s", i, token), Header: nats.Header{"Tailwater-Event": {line}, "X-Script": {line, line}}, Data: []byte(payload)}
		noError(t, conn.PublishMsg(&m))
	}
}

// A message of tens of thousands of brackets takes no page's time, so the next message is shown.
func testDeepMessageIsShown(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	page := openTab(t, browser, n.URL()+"/")
	page.waitForState("open")
	const depth = 60_000
	publishTo(t, n.URL()+"/events/chat.room1", strings.Repeat("[", depth)+strings.Repeat("]", depth), "the end")
	page.waitForMessage("", "the end")
	page.waitFor(`document.querySelectorAll("#log .message").length === 2`)
}

// nothingRan checks that no message became an element but a link, ran, or tried what the policy of the page forbids.
func (p tab) nothingRan() {
	p.t.Helper()
	found, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`JSON.stringify([
		typeof pwned, typeof ({}).pwned, document.querySelectorAll("#log .who *, #log .what :not(a.link[href^=http][rel^=noopener]), #log script, #log img").length, globalThis.violations ?? []])`))
	noError(p.t, err)
	if want := `["undefined","undefined",0,[]]`; found != want {
		p.t.Errorf("on the page there is %s instead of %s", found, want)
	}
}

// A page of somebody else can neither write nor read, in any way that browsers know.
func testOtherOrigin(t *testing.T, browser context.Context) {
	n := startNode(t, settings{"HTTP_ORIGINS": "https://chat.example.com", "HTTP_HOSTS": "127.0.0.1"})
	const page = `<!doctype html><meta charset=utf-8><form method=post enctype=text/plain target=sink><input name=planted value=x></form><iframe name=sink></iframe><script>
		const at = new URLSearchParams(location.search).get("at"), done = {};
		const note = (name, promise) => promise.then(r => done[name] = "answered " + r.type, () => done[name] = "refused");
		document.querySelector("iframe").onload = () => done.form = "sent";
		document.forms[0].action = at;
		document.forms[0].submit();
		note("blind", fetch(at, {method: "POST", body: "planted", mode: "no-cors"}));
		note("post", fetch(at, {method: "POST", body: "planted"}));
		note("json", fetch(at, {method: "POST", body: "{}", headers: {"Content-Type": "application/json"}}));
		note("get", fetch(at + "?poll=1"));
		note("cookies", fetch(at + "?poll=1", {credentials: "include"}));
		done.beacon = navigator.sendBeacon(at, "planted") ? "sent" : "refused";
		new EventSource(at).onerror = e => done.events = ["connecting", "open", "closed"][e.target.readyState];
	</script>`
	evil := startEvil(t, page)
	at := n.URL() + "/events/chat.room1"
	if status, body := post(t, at, "hello"); status != http.StatusCreated { // no page, and nobody's origin
		t.Fatalf("%d %s", status, body)
	}
	pages := []string{evil.URL, strings.Replace(evil.URL, "127.0.0.1", "evil.localhost", 1)} // the same site, and another
	for i, origin := range pages {
		page := openTab(t, browser, origin+"/page?at="+url.QueryEscape(at))
		page.waitFor(`Object.keys(done).length === 8`)
		found, err := chromedp.Run(page.ctx, chromedp.Evaluate[string](`JSON.stringify(done, Object.keys(done).sort())`))
		noError(t, err)
		want := `{"beacon":"sent","blind":"refused","cookies":"refused","events":"closed","form":"sent","get":"refused","json":"refused","post":"refused"}`
		if found != want {
			t.Errorf("a page of %s finds %s instead of %s", origin, found, want)
		}
		// The browser did send the form, the beacon and two of the fetches; the bridge has refused them.
		eventually(t, "all have arrived", func() bool { return n.Live.Stats().Requests.Publishes["refused"] >= uint64(4*(i+1)) })
	}
	if stats := n.Live.Stats().Requests; stats.Publishes["accepted"] != 1 || n.Live.Stats().Connections.Opened > 0 {
		t.Errorf("%+v, and %d connections", stats.Publishes, n.Live.Stats().Connections.Opened)
	}
}

// A page of somebody else whose name has come to mean this machine is no page of this bridge.
func testRebinding(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	page := openTab(t, browser, strings.Replace(n.URL(), "127.0.0.1", "rebound.example", 1)+"/")
	page.waitFor(`document.body.textContent.includes("wrong-host")`)
	page.do(chromedp.Evaluate[chromedp.Void](`seen = []; for (const init of [{}, {method: "POST", body: "planted"}, {method: "HEAD"}])
		fetch("/events/chat.room1?poll=1", init).then(r => seen.push(r.status), e => seen.push(String(e)))`))
	page.waitFor(`seen.length === 3`)
	page.waitFor(`seen.every(status => status === 421)`)
	if stats := n.Live.Stats().Requests; stats.Publishes["accepted"] != 0 || n.Live.Stats().Connections.Opened > 0 {
		t.Errorf("%+v, and %d connections", stats.Publishes, n.Live.Stats().Connections.Opened)
	}
}

// No page can put ours into a frame, where what a visitor clicks would be ours.
func testFrame(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	evil := startEvil(t, `<!doctype html><iframe src="`+n.URL()+`/" onload="loaded = true"></iframe>`)
	page := openTab(t, browser, evil.URL+"/page")
	page.waitFor(`globalThis.loaded === true`)
	own := openTab(t, browser, n.URL()+"/")
	own.waitForState("open")
	if opened := n.Live.Stats().Connections.Opened; opened != 1 {
		t.Errorf("%d pages are connected, one of them in a frame", opened)
	}
}
