package e2e

// The module /client.js in a real browser, behind proxies that fail, in tabs that come and go.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

func TestClient(t *testing.T) {
	onlySoak(t) // TestInTheBrowser has the chat page, which reads by this module
	t.Parallel()
	inBrowser(t, map[string]func(*testing.T, context.Context){
		"eight tabs":      testClientTabs,
		"bridge restarts": testClientRestart,
		"publish":         testClientPublish,
		"proxy answers":   testClientProxyAnswers,
		"silence":         testClientSilence,
		"ticket":          testClientTicket,
		"refused":         testClientRefused,
		"presence":        testClientPresence,
		"frozen leader":   testClientFrozenLeader,
		"offline":         testClientOffline,
		"back and forth":  testClientBackForward,
		"reload":          testClientReload,
		"hidden":          testClientHidden,
		"iterator":        testClientIterator,
		"people":          testClientPeople,
	})
}

// clientScript connects to a URL. got holds the data of all messages, states all states, and other what else was told.
const clientScript = `
	got = []; states = []; other = []; failed = "";
	import(at + "/client.js").then(client => {
		tailwater = client;
		room = client.connect(at + path, {
			onmessage: ({data}) => got.push(data),
			onstate: (state, {reason, detail, status}) => states.push([state, reason, status, detail].filter(Boolean).join(" ")),
			...Object.fromEntries(["gap", "reset", "synced", "delete", "presence", "large"].map(name => ["on" + name, told => other.push([name, told])])),
			...options,
		});
	}).catch(error => failed = String(error)); 0`

// connectClient makes a page read a path of the bridge by the module. options are JavaScript.
func (p tab) connectClient(at, path, options string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](`at = ` + inJS(at) + `; path = ` + inJS(path) + `; options = {` + options + `};` + clientScript))
	p.waitFor(`failed !== "" || typeof room !== "undefined"`)
	p.waitFor(`failed === ""`)
	p.t.Cleanup(func() {
		if p.t.Failed() {
			told, _ := chromedp.Run(context.WithoutCancel(p.ctx), chromedp.Evaluate[string](`JSON.stringify({states, got, other, failed})`))
			p.t.Log(told)
		}
	})
}

// openClient opens a tab that reads a path of the bridge by the module, and waits until it is open.
func openClient(t *testing.T, browser context.Context, at, path, options string) tab {
	t.Helper()
	p := openTabFor(t, browser, at+"/web/anyone.json", 3*patience) // of several tabs, the first is used until the last
	p.connectClient(at, path, options)
	p.waitFor(`room.state === "open"`)
	return p
}

// hasGot waits until the page has got exactly these messages.
func (p tab) hasGot(want ...string) {
	p.t.Helper()
	list, _ := json.Marshal(append([]string{}, want...))
	p.waitFor(`got.length >= ` + fmt.Sprint(len(want)))
	if got := p.value(`JSON.stringify(got)`); got != string(list) {
		p.t.Errorf("the page has got %s, want %s", got, list)
	}
}

func (p tab) value(expression string) string {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression))
	noError(p.t, err)
	return value
}

func publishTo(t *testing.T, url string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if status, body := post(t, url, text); status != http.StatusCreated && status != http.StatusAccepted {
			t.Fatalf("POST answers %d %s", status, body)
		}
	}
}

// Eight tabs are more than the six connections that a browser opens over HTTP/1.1. They share one, and all can send. Tabs close one
// after another, the one that holds the connection first; the others get every message, once and in order.
func testClientTabs(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	publishTo(t, n.URL()+"/events/chat.tabs", "before")
	var tabs []tab
	for range 8 {
		tabs = append(tabs, openClient(t, browser, n.URL(), "/events/chat.tabs?since=1h", ""))
	}
	if open := n.Live.Stats().Connections.Open; open != 1 {
		t.Errorf("%d connections are open, want 1 for all tabs", open)
	}
	want := []string{"before"}
	for i, p := range tabs {
		want = append(want, fmt.Sprint("from ", i))
		p.do(chromedp.Evaluate[chromedp.Void](`tailwater.publish(at + "/events/chat.tabs", ` + inJS(want[len(want)-1]) + `).catch(error => failed = String(error)); 0`))
		p.waitFor(`got.includes(` + inJS(want[len(want)-1]) + `)`)
	}
	for len(tabs) > 0 {
		for _, p := range tabs {
			p.hasGot(want...)
			if p.value(`failed + JSON.stringify(other.filter(([name]) => name !== "synced"))`) != "[]" {
				t.Errorf("a tab was told of %s", p.value(`failed + JSON.stringify(other)`))
			}
		}
		noError(t, chromedp.Cancel(tabs[0].ctx))
		tabs = tabs[1:]
		want = append(want, fmt.Sprint("without ", 8-len(tabs)))
		publishTo(t, n.URL()+"/events/chat.tabs", want[len(want)-1])
	}
}

// failingProxy stands before a bridge. While mode is "502" nobody seems to be behind it; while it is "swallow" no byte of a stream
// arrives. It tells pages to expect a heartbeat after 0.4 s, so that they miss it soon.
type failingProxy struct {
	*httptest.Server
	mode   atomic.Value // "", "502", "swallow"
	failed atomic.Int32 // answers
}

func startFailingProxy(t *testing.T, of string) *failingProxy {
	t.Helper()
	target, err := url.Parse(of)
	noError(t, err)
	p := &failingProxy{}
	p.mode.Store("")
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ModifyResponse = func(response *http.Response) error {
		response.Body = &swallower{response.Body, p}
		return nil
	}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.mode.Load() == "502" {
			p.failed.Add(1)
			http.Error(w, "nobody is here", http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { closeServer(p.Server) })
	return p
}

// startServer serves until the end of the test, and returns the URL.
func startServer(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() { closeServer(server) })
	return server.URL
}

// closeServer ends a server with the event streams that it serves.
func closeServer(server *httptest.Server) {
	server.CloseClientConnections()
	server.Close()
}

// cut ends all connections.
func (p *failingProxy) cut() { p.CloseClientConnections() }

// swallower is a body that is lost on its way while its proxy says so.
type swallower struct {
	io.ReadCloser
	proxy *failingProxy
}

func (s *swallower) Read(b []byte) (int, error) {
	n, err := s.ReadCloser.Read(b)
	if s.proxy.mode.Load() == "swallow" {
		return 0, err
	}
	return copy(b, bytes.ReplaceAll(b[:n], []byte(`\"heartbeat\":15`), []byte(`\"heartbeat\":0.4`))), err
}

// To an EventSource a proxy's 502 is the end. The client comes back, and misses nothing.
func testClientProxyAnswers(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	proxy := startFailingProxy(t, n.URL())
	p := openClient(t, browser, proxy.URL, "/events/chat.proxy", "")
	proxy.mode.Store("502")
	proxy.cut()
	p.waitFor(`room.state === "offline"`)
	publishTo(t, n.URL()+"/events/chat.proxy", "meanwhile")
	eventually(t, "two answers of the proxy", func() bool { return proxy.failed.Load() >= 2 })
	p.waitFor(`states.some(state => state.startsWith("offline status 502"))`)
	proxy.mode.Store("")
	p.waitFor(`room.state === "open"`)
	publishTo(t, n.URL()+"/events/chat.proxy", "again")
	p.hasGot("meanwhile", "again")
}

// A connection that looks alive and brings nothing is made anew when heartbeats are missed.
func testClientSilence(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	proxy := startFailingProxy(t, n.URL())
	p := openClient(t, browser, proxy.URL, "/events/chat.silence", "")
	proxy.mode.Store("swallow")
	publishTo(t, n.URL()+"/events/chat.silence", "lost on the way")
	p.waitFor(`states.includes("offline silence")`)
	proxy.mode.Store("")
	p.waitFor(`room.state === "open"`)
	p.waitFor(`got.length > 0`)
	publishTo(t, n.URL()+"/events/chat.silence", "next")
	p.waitFor(`got.join() === "lost on the way,next"`)
}

// A tab that the browser has frozen leads no more when another one needs it.
func testClientFrozenLeader(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	proxy := startFailingProxy(t, n.URL())
	leader := openClient(t, browser, proxy.URL, "/events/chat.frozen", "")
	p := openClient(t, browser, proxy.URL, "/events/chat.frozen", "")
	leader.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateFrozen})
		return err
	}))
	publishTo(t, n.URL()+"/events/chat.frozen", "to all")
	p.hasGot("to all")
}

// A page of another origin imports the module from the bridge, also where the bridge serves no pages, and reads with a ticket. When its
// token is revoked, the page is asked for another one.
func testClientTicket(t *testing.T, browser context.Context) {
	others := startEvil(t, "<!doctype html>")
	origin := strings.Replace(others.URL, "127.0.0.1", "app.localhost", 1)
	n := startNode(t, signedIn(settings{"HTTP_ORIGINS": origin, "HTTP_HOSTS": "127.0.0.1", "HTTP_PAGES": "false"}))
	p := openTab(t, browser, origin+"/page")
	p.do(chromedp.Evaluate[chromedp.Void](`asked = []; tokens = [` + inJS(sign(t, tokenSecret, claimsOf("alice", "t1"))) + `, ` + inJS(sign(t, tokenSecret, claimsOf("alice", "t2"))) + `];
		ticket = async (renew) => {
			asked.push(renew);
			if (renew || !window.current) {
				const answer = await fetch(at + "/session", {method: "POST", headers: {Authorization: "Bearer " + tokens.shift()}});
				current = (await answer.json()).ticket;
			}
			return current;
		}; 0`))
	p.connectClient(n.URL(), "/inbox", "ticket")
	p.waitFor(`room.state === "open"`)
	revoke := revoked(t, jetstreamOf(t, n.client(t, adminFile)))
	revoke("jti.t1")
	p.waitFor(`states.includes("offline auth") && room.state === "open"`)
	conn := n.client(t, publisherFile)
	noError(t, conn.Publish("user.alice.inbox", []byte("with the second token")))
	p.hasGot("with the second token")
	if asked := p.value(`asked.join()`); asked != "false,true" {
		t.Errorf("the page was asked for tickets: %s", asked)
	}
	p.do(chromedp.Evaluate[chromedp.Void](`tailwater.publish(at + "/outbox", "x", {token: () => "forged"}).catch(error => failed = error.status + " " + error.type); 0`))
	p.waitFor(`failed.startsWith("401") && failed.includes("unauthorized")`)
}

// What is refused is told in words, once, and to all tabs. A retry asks again.
func testClientRefused(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	for range 2 {
		p := openTab(t, browser, n.URL()+"/web/anyone.json")
		p.connectClient(n.URL(), "/events/other.subject", "")
		p.waitFor(`room.state === "refused" && states.at(-1).startsWith("refused status 403 not allowed")`)
	}
	if refused := n.Live.Stats().Requests.Refused; refused > 3 {
		t.Errorf("%d requests were refused", refused)
	}
}

// Messages are sent in the order of the calls, and stored once, although answers are lost.
func testClientPublish(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	proxy := startFailingProxy(t, n.URL())
	lost := atomic.Int32{}
	lost.Store(2)
	forgetful := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && lost.Add(-1) >= 0 {
			proxy.Config.Handler.ServeHTTP(httptest.NewRecorder(), r) // it is published, and nobody is told
			panic(http.ErrAbortHandler)
		}
		proxy.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { closeServer(forgetful) })
	p := openTab(t, browser, forgetful.URL+"/web/anyone.json")
	p.connectClient(forgetful.URL, "/events/chat.publish", "")
	p.waitFor(`room.state === "open"`)
	p.do(chromedp.Evaluate[chromedp.Void](`receipts = [];
		for (const text of ["one", "two", "three"]) tailwater.publish(at + "/events/chat.publish", text, {event: "said"}).then(receipt => receipts.push(receipt.seq + " " + receipt.duplicate)); 0`))
	p.hasGot("one", "two", "three")
	p.waitFor(`receipts.join() === "1 true,2 false,3 false"`)
	p.do(chromedp.Evaluate[chromedp.Void](`tailwater.publish(at + "/events/other", "x").catch(error => failed = error.status + " " + error.message); 0`))
	p.waitFor(`failed.startsWith("403 not allowed")`)
}

// A loop over the messages ends with the connection.
func testClientIterator(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	p := openClient(t, browser, n.URL(), "/events/chat.loop", "")
	p.do(chromedp.Evaluate[chromedp.Void](`texts = []; (async () => {
		for await (const {data, subject, time} of room) { texts.push(data, subject, typeof time); if (data === "last") room.close(); }
		texts.push("ended", room.state);
	})(); 0`))
	publishTo(t, n.URL()+"/events/chat.loop", "first", "last")
	p.waitFor(`texts.join() === "first,chat.loop,string,last,chat.loop,string,ended,closed"`)
	eventually(t, "no connection", func() bool { return n.Live.Stats().Connections.Open == 0 })
}

// Every tab knows who is there, also one that has come later and shares the connection of another.
func testClientPresence(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	ada := openClient(t, browser, n.URL(), "/events/chat.people?presence=1&name=Ada", "")
	bob := openClient(t, browser, n.URL(), "/events/chat.people?presence=1&name=Bob", "")
	again := openClient(t, browser, n.URL(), "/events/chat.people?presence=1&name=Ada", "")
	for _, p := range []tab{ada, bob, again} {
		p.waitFor(`other.some(([name, {members}]) => name === "presence" && members.map(member => member.name).join() === "Ada,Bob")`)
	}
}

// What a token opens is not passed to a tab that has another, or none, unless the page says that both are of one person.
func testClientPeople(t *testing.T, browser context.Context) {
	n := startNode(t, signedIn(nil))
	token := func(name string) string {
		return "token: () => " + inJS(sign(t, tokenSecret, claimsOf(name, "")))
	}
	alice := openClient(t, browser, n.URL(), "/inbox", token("alice"))
	bob := openClient(t, browser, n.URL(), "/inbox", token("bob"))
	nobody := openTab(t, browser, n.URL()+"/web/anyone.json")
	nobody.connectClient(n.URL(), "/inbox", "")
	nobody.waitFor(`room.state === "refused"`)
	conn := n.client(t, publisherFile)
	for _, name := range []string{"alice", "bob"} {
		noError(t, conn.Publish("user."+name+".inbox", []byte("to "+name)))
	}
	alice.hasGot("to alice")
	bob.hasGot("to bob")
	nobody.hasGot()
}

// extent returns the position behind everything that is stored.
func extent(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Head(url)
	noError(t, err)
	response.Body.Close()
	return response.Header.Get("Tailwater-Last-Id")
}
