package e2e

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// reading makes a page read a run with EventSource, as any page would.
const reading = `{
	window.got = [];
	window.source = new EventSource(location.hash.slice(1));
	source.onmessage = (event) => got.push(event.data);
	source.addEventListener("tailwater:end", () => got.push("end"));
	source.addEventListener("tailwater:gap", () => got.push("gap"));
	source.addEventListener("tailwater:reset", () => got.push("reset"));
}; 0`

// A page asks, and shows the answer as it arrives. The bridge is killed in the middle, the page is loaded again, a second tab is opened: nothing is
// missing, and nothing comes twice. Behind the end, EventSource is closed for good.
func TestPagesReadRuns(t *testing.T) {
	onlySoak(t) // EventSource takes its time to come back
	server := bridgetest.StartNATSServer(t)
	heard := make(chan *nats.Msg, 10)
	work(t, server.URL(), "llm.slow", func(m *nats.Msg) { heard <- m })
	inBrowser(t, map[string]func(*testing.T, context.Context){"run": func(t *testing.T, browser context.Context) {
		b := startBridge(t, questions(settings{"NATS_URL": server.URL(), "HISTORY": "answers.>", "HISTORY_MAX_BYTES": "16MiB", "HTTP_PAGES": "true"}))
		page := openTab(t, browser, "http://"+b.address+"/clock")
		page.do(chromedp.Evaluate[chromedp.Void](`fetch("/ask/slow", {method: "POST", body: "q", headers: {prefer: "respond-async"}})
			.then((answer) => location.hash = answer.headers.get("location")); 0`))
		question := <-heard
		page.waitFor(`location.hash.startsWith("#/answers/")`)
		page.do(chromedp.Evaluate[chromedp.Void](reading))
		replies("1", "2")(question)
		page.waitFor(`got.join() === "1,2"`)
		b.kill()
		replies("3")(question)
		b.start()
		page.waitFor(`got.join() === "1,2,3"`)
		path, err := chromedp.Run(page.ctx, chromedp.Evaluate[string](`location.href`))
		noError(t, err)
		second := openTab(t, browser, path)
		second.do(chromedp.Evaluate[chromedp.Void](reading))
		second.waitFor(`got.join() === "1,2,3"`)
		page.do(chromedp.Reload())
		page.do(chromedp.Evaluate[chromedp.Void](reading))
		replies("4", "")(question)
		for _, tab := range []tab{page, second} {
			tab.waitFor(`got.join() === "1,2,3,4,end" && source.readyState === EventSource.CLOSED`)
		}
	}})
}
