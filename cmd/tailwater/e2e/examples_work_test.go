package e2e

import (
	"context"
	"html"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// forExamples returns the settings that the list of examples names.
func forExamples(t *testing.T) settings {
	t.Helper()
	page, err := os.ReadFile("../../../web/examples/index.html")
	noError(t, err)
	command := regexp.MustCompile(`<code>(TAILWATER_.*) tailwater</code>`).FindSubmatch(page)
	if command == nil {
		t.Fatal("the list of examples names no settings")
	}
	named := settings{"HTTP_PAGES": "true"}
	for _, setting := range regexp.MustCompile(`TAILWATER_([A-Z_]+)='([^']*)'`).FindAllStringSubmatch(html.UnescapeString(string(command[1])), -1) {
		named[setting[1]] = setting[2]
	}
	return named
}

// shows waits until an element of an example has a text.
func (p tab) shows(selector, text string) {
	p.t.Helper()
	p.waitFor(`document.querySelector(` + inJS(selector) + `)?.textContent.trim() === ` + inJS(text))
}

// example is one of the pages: what is published for it, and what it shows then, and still shows after a reload.
type example struct {
	publish  []*nats.Msg
	selector string
	want     string
	more     *nats.Msg
	wantMore string
	shown    []*nats.Msg // also in its picture
	isShown  string
}

func on(subject, data string, header ...string) *nats.Msg {
	m := &nats.Msg{Subject: subject, Data: []byte(data), Header: nats.Header{}}
	for i := 0; i < len(header); i += 2 {
		m.Header.Set(header[i], header[i+1])
	}
	return m
}

func publishAll(t *testing.T, conn *nats.Conn, messages ...*nats.Msg) {
	t.Helper()
	for _, m := range messages {
		noError(t, conn.PublishMsg(m))
	}
}

var examples = map[string]example{
	"dashboard": {
		publish: []*nats.Msg{on("$KV.board.visitors", "41"), on("$KV.board.visitors", "42")}, selector: "#board li strong", want: "42",
		more: on("$KV.board.visitors", "43"), wantMore: "43",
		shown:   []*nats.Msg{on("$KV.board.load", "0.4"), on("$KV.board.load", "1.9"), on("$KV.board.load", "1.1"), on("$KV.board.gate.north", "open")},
		isShown: `document.querySelectorAll("#board li").length === 3 && new Set(document.querySelectorAll("#board polyline")[1].getAttribute("points").match(/[^, ]+(?= |$)/g)).size > 2`,
	},
	"htmx": {
		publish: []*nats.Msg{on("ui.htmx", "<b>12:00</b><script>document.title = 'evil'</script>")}, selector: ".big b", want: "12:00",
		more: on("ui.htmx", "<b>12:01</b>"), wantMore: "12:01",
		shown:   []*nats.Msg{on("ui.htmx", "<li>The gate is <b>open</b>.</li>", "Tailwater-Event", "news")},
		isShown: `!!document.querySelector("ul li b")`,
	},
	"turbo": {
		publish:  []*nats.Msg{on("ui.turbo", `<turbo-stream action="update" target="clock"><template>12:00<script>document.title = 'evil'</script></template></turbo-stream>`)},
		selector: "#clock", want: "12:00document.title = 'evil'",
		more: on("ui.turbo", `<turbo-stream action="update" target="clock"><template>12:01</template></turbo-stream>`), wantMore: "12:01",
		shown:   []*nats.Msg{on("ui.turbo", `<turbo-stream action="prepend" target="news"><template><li>The gate is <b>open</b>.</li></template></turbo-stream>`)},
		isShown: `!!document.querySelector("#news li b")`,
	},
	"datastar": {
		publish:  []*nats.Msg{on("ui.clock", `<b id="clock">12:00<script>document.title = "evil"</script></b>`)},
		selector: "#clock", want: `12:00document.title = "evil"`,
		more: on("ui.clock", `<b id="clock">12:01</b>`), wantMore: "12:01",
		shown:   []*nats.Msg{on("ui.clock", `{"gate": "open"}`), on("ui.clock", "<li>The gate was opened.</li>", "Datastar-Selector", "#news", "Datastar-Mode", "prepend")},
		isShown: `!!document.querySelector("#news li") && document.querySelector("#gate").textContent === "open"`,
	},
}

// What a program on NATS publishes changes the examples, with the settings that they name, and is there again after a reload.
func TestExamplesWork(t *testing.T) {
	onlySoak(t)
	n := startNode(t, forExamples(t))
	conn := publisher(t, n.NATSURL())
	keepsBoard(t, conn)
	inBrowser(t, map[string]func(*testing.T, context.Context){
		"dashboard": func(t *testing.T, browser context.Context) { testExample(t, browser, n.URL(), conn, "dashboard") },
	})
}

// keepsBoard creates the bucket of the dashboard.
func keepsBoard(t *testing.T, conn *nats.Conn) {
	t.Helper()
	js, err := conn.JetStream()
	noError(t, err)
	if _, err := js.CreateKeyValue(&nats.KeyValueConfig{Bucket: "board", History: 60}); err != nil {
		t.Fatal(err)
	}
}

func testExample(t *testing.T, browser context.Context, at string, conn *nats.Conn, name string) tab {
	t.Helper()
	e := examples[name]
	page := openTab(t, browser, at+"/examples/"+name)
	page.waitForState("open")
	publishAll(t, conn, e.publish...)
	page.shows(e.selector, e.want)
	page.shows("title", map[string]string{"dashboard": "Dashboard", "htmx": "htmx", "turbo": "Turbo", "datastar": "Datastar"}[name]+" · Tailwater")
	page.waitFor(`document.querySelector(".source code")?.textContent.startsWith("<!doctype html>")`)
	page.do(chromedp.Reload())
	page.shows(e.selector, e.want)
	second := openTab(t, browser, at+"/examples/"+name)
	second.shows(e.selector, e.want)
	publishAll(t, conn, e.more)
	page.shows(e.selector, e.wantMore)
	second.shows(e.selector, e.wantMore)
	return page
}

// Every example works in Chromium: what is published changes it, it is the same after a reload and in a second tab, and it continues where it was after
// its bridge was killed.
func TestPagesOfExamples(t *testing.T) {
	onlySoak(t)
	tests := map[string]func(*testing.T, context.Context){"stream": testStream, "notifications": testNotifications, "refused": testRefusedExamples}
	for name := range examples {
		tests[name] = func(t *testing.T, browser context.Context) { testKilledExample(t, browser, name) }
	}
	inBrowser(t, tests)
}

func testKilledExample(t *testing.T, browser context.Context, name string) {
	server := bridgetest.StartNATSServer(t)
	b := startBridge(t, with(forExamples(t), settings{"NATS_URL": server.URL(), "HISTORY_MAX_BYTES": "16MiB"}))
	conn := publisher(t, server.URL())
	keepsBoard(t, conn)
	page := testExample(t, browser, "http://"+b.address, conn, name)
	b.kill()
	page.waitForState("offline")
	e := examples[name]
	publishAll(t, conn, e.publish...)
	b.start()
	page.shows(e.selector, e.want)
	page.waitForState("open")
}

// The words of an answer arrive one by one, in every tab, after a reload, after a kill, and no more after a stop.
func testStream(t *testing.T, browser context.Context) {
	server := bridgetest.StartNATSServer(t)
	b := startBridge(t, with(forExamples(t), settings{"NATS_URL": server.URL(), "HISTORY_MAX_BYTES": "16MiB"}))
	page := openTab(t, browser, "http://"+b.address+"/examples/stream")
	page.waitForState("idle")
	page.do(chromedp.Click("#form button"))
	page.waitFor(`document.querySelector("#problem").textContent.includes("nobody")`)
	heard, stopped := make(chan *nats.Msg, 10), make(chan *nats.Msg, 10)
	work(t, server.URL(), "llm.echo", func(m *nats.Msg) { heard <- m })
	page.do(chromedp.SetValue("#question", "Is it whole?"), chromedp.Click("#form button"))
	question := <-heard
	if string(question.Data) != "Is it whole?" {
		t.Errorf("the question is %q", question.Data)
	}
	work(t, server.URL(), question.Reply+".stop", func(m *nats.Msg) { stopped <- m })
	replies("Every ", "word ")(question)
	page.shows("#answer", "Every word")
	address, err := chromedp.Run(page.ctx, chromedp.Evaluate[string](`location.href`))
	noError(t, err)
	second := openTab(t, browser, address)
	second.shows("#answer", "Every word")
	b.kill()
	replies("arrives ")(question)
	b.start()
	page.shows("#answer", "Every word arrives")
	page.do(chromedp.Reload())
	page.waitForState("open")
	page.do(chromedp.Click("#stop"))
	<-stopped
	replies("once.", "")(question)
	for _, tab := range []tab{page, second} {
		tab.shows("#answer", "Every word arrives once.")
		tab.waitForState("idle")
		tab.waitFor(`document.querySelector("#stop").disabled && document.querySelector("#problem").textContent === ""`)
	}
}

// A reader signs in with a token, gets what is meant for its owner and nothing else, also after a reload, until it signs out.
func testNotifications(t *testing.T, browser context.Context) {
	server := bridgetest.StartNATSServer(t)
	n := startNode(t, settings{
		"NATS_URL": server.URL(), "AUTH_JWT_SECRET": tokenSecret, "AUTH_COOKIE": "tailwater", "ROUTES": "/notifications=notify.{claim.sub}",
		"HISTORY": "notify.>", "HISTORY_MAX_BYTES": "16MiB", "HTTP_PAGES": "true",
	})
	conn := publisher(t, server.URL())
	page := openTab(t, browser, n.URL()+"/examples/notifications")
	page.waitForState("idle")
	page.do(chromedp.SendKeys("#token", "no token\r"))
	page.waitFor(`document.querySelector("#problem").textContent !== ""`)
	page.do(chromedp.SendKeys("#token", newToken(t, "--sub", "alice")+"\r"))
	page.waitForState("open")
	for _, m := range []*nats.Msg{on("notify.bob", "not hers"), on("notify.alice", "Your parcel <b>has arrived</b>.")} {
		noError(t, conn.PublishMsg(m))
	}
	const shown = `document.querySelectorAll("#list li").length === 1 && document.querySelector("#list li").lastChild.data === "Your parcel <b>has arrived</b>."`
	page.waitFor(shown)
	page.do(chromedp.Reload())
	page.waitFor(shown)
	page.do(chromedp.Click("#out"))
	page.waitForState("idle")
	page.waitFor(`document.querySelector("#inbox").hidden && !document.querySelector("#form").hidden`)
}

// Without its settings an example says what is missing.
func testRefusedExamples(t *testing.T, browser context.Context) {
	n := startNode(t, settings{"HTTP_PAGES": "true"})
	list, err := http.Get(n.URL() + "/examples/")
	noError(t, err)
	list.Body.Close()
	for _, name := range []string{"stream", "dashboard", "notifications", "htmx", "turbo", "datastar"} {
		page := openTab(t, browser, n.URL()+"/examples/"+name)
		page.waitForState("refused")
		page.waitFor(`document.querySelector(".needs .command code").textContent.includes("TAILWATER_")`)
		page.waitFor(`!document.querySelector("#state").textContent.includes("undefined")`)
	}
	if text := strings.TrimSpace(list.Status); text != "200 OK" {
		t.Error(text)
	}
}

// Nothing of the examples is cut off or out of view, on a phone and on a desktop, by day and by night, in both languages.
func TestPagesPicturesOfExamples(t *testing.T) {
	onlySoak(t)
	browser := startBrowser(t)
	n := startNode(t, forExamples(t))
	conn := publisher(t, n.NATSURL())
	keepsBoard(t, conn)
	work(t, n.NATSURL(), "llm.echo", replies("Every word arrives, in order, and only once: ", "also after a reload, and in a second tab. "))
	for _, l := range looks() {
		t.Run(l.String(), func(t *testing.T) {
			page, _ := openPerson(t, browser, "about:blank")
			page.apply(l)
			see := func(name string) {
				t.Helper()
				page.waitFor(`location.pathname === "/examples/" || !!document.querySelector(".source code")`)
				page.nothingClipped(name)
				page.picture("examples-" + name + "-" + l.String())
			}
			page.do(chromedp.Navigate(n.URL() + "/examples/"))
			see("list")
			for _, name := range slices.Sorted(maps.Keys(examples)) {
				e := examples[name]
				page.do(chromedp.Navigate(n.URL() + "/examples/" + name))
				page.waitForState("open")
				publishAll(t, conn, e.publish...)
				page.shows(e.selector, e.want)
				publishAll(t, conn, e.shown...)
				page.waitFor(e.isShown)
				see(name)
			}
			page.do(chromedp.Navigate(n.URL() + "/examples/stream"))
			page.do(chromedp.Click("#form button"))
			page.waitFor(`document.querySelector("#answer").textContent.includes("tab")`)
			see("stream")
			page.do(chromedp.Navigate(n.URL() + "/examples/notifications"))
			page.waitForState("refused")
			see("notifications")
		})
	}
}
