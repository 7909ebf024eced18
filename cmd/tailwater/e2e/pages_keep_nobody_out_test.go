package e2e

import (
	"context"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// axe finds nothing serious in any state of the pages, on a phone and on a desktop, by day and by night: they can be read and used by people
// who do not see them, or see little.
func TestPagesKeepNobodyOut(t *testing.T) {
	onlySoak(t)
	axe := readAxe(t)
	browser := startBrowser(t)
	for _, l := range looks() {
		if l.languages == "en-US" {
			t.Run(l.String(), func(t *testing.T) {
				t.Parallel()
				testAccessible(t, axe, openLook(t, browser, l))
			})
		}
	}
}

// readAxe returns the script of axe-core, which stands with the packages of the clients.
func readAxe(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile("clients/node_modules/axe-core/axe.min.js")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("%v; make soak installs it", err)
	}
	if err != nil {
		t.Skip("axe-core is not installed; make soak does it")
	}
	return string(script)
}

// openLook opens an empty page that looks so.
func openLook(t *testing.T, browser context.Context, l look) tab {
	t.Helper()
	page, _ := openPerson(t, browser, "about:blank")
	page.apply(l)
	return page
}

func testAccessible(t *testing.T, axe string, page tab) {
	n := startNode(t, nil)
	others, _ := startBeside(t, settings{"ANONYMOUS_SUBSCRIBE": "news.>,orders.eu", "ANONYMOUS_PUBLISH": "orders.>"})
	open := func(url, state string) {
		t.Helper()
		page.do(chromedp.Navigate(url))
		page.waitForState(state)
	}
	check := func(what string) {
		t.Helper()
		// The clock's mirror is an ornament. It says nothing that the time does not.
		page.waitFor(`document.getAnimations().every(animation => animation.playState === "finished")`)
		page.do(chromedp.Evaluate[chromedp.Void](axe + `; found = undefined; axe.run({exclude: ["#mirror"]}, {resultTypes: ["violations"]}).then(({violations}) => found = violations
			.filter(({impact}) => ["serious", "critical"].includes(impact))
			.map(({id, nodes}) => id + ": " + nodes.map(({html, failureSummary}) => html.slice(0, 200) + " " + failureSummary).join("; ")), (error) => found = [String(error)]); 0`))
		page.waitFor(`found !== undefined`)
		if found := page.value(`found.join("\n")`); found != "" {
			t.Errorf("%s: %s", what, found)
		}
	}
	open(n.URL()+"/", "open")
	check("an empty room")
	publishTo(t, n.URL()+"/events/chat.room1", conversation...)
	page.name("Ada")
	page.do(chromedp.SendKeys("#text", "Everything, and in order.\r"))
	page.waitFor(`document.querySelectorAll("#log .own").length === 1 && !document.querySelector("#outbox *")`)
	page.do(chromedp.Click("#who summary"))
	check("a room, and who is here")
	page.emulateNetwork(true)
	page.waitFor(`!document.querySelector("#offline").hidden`)
	page.do(chromedp.SendKeys("#text", "Can you hear me?\r"))
	page.waitFor(`!!document.querySelector("#outbox .fate")`)
	check("no connection")
	page.emulateNetwork(false)
	open(n.URL()+"/?room=a..b", "refused")
	check("a refusal")
	open(n.URL()+"/clock", "open")
	check("the clock")
	open(n.URL()+"/inspect?subject=chat.room1&since=1h", "open")
	page.waitFor(`document.querySelectorAll("#rows tr").length > 10`)
	page.do(chromedp.Click(`#rows tr:nth-child(3) button`), chromedp.Click("#test"))
	page.waitFor(`document.querySelector("#verdict .good") !== null`)
	check("the inspector")
	open(others.URL()+"/", "idle")
	check("what may be read")
	open(others.URL()+"/?subject=news.sports", "open")
	check("reading only")
}
