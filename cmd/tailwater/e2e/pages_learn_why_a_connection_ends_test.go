package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// Chromium throws away what has come over HTTP/2 just before a stream is reset: pages then do not learn why a connection ends, and
// when to come back. How many do depends on the machine; without a pause it is one in a hundred.
func TestPagesLearnOverHTTP2ThatAConnectionEnds(t *testing.T) {
	onlySoak(t)
	browser := startBrowser(t)
	a := newIssuer(t)
	s, _ := a.settings()
	s["LIMIT_CONNECTION_AGE"] = "1s"
	page := openTab(t, browser, startNode(t, s).URL()+"/")
	page.do(chromedp.Evaluate[chromedp.Void](`
		window.closes = window.ends = 0;
		for (let i = 0; i < 40; i++) {
			const source = new EventSource("/events/chat.room" + i);
			source.addEventListener("tailwater:close", () => { closes++; });
			source.onerror = () => { ends++; };
		}`))
	page.waitFor("ends >= 40")
	closes, err := chromedp.Run(page.ctx, chromedp.Evaluate[int]("closes"))
	if err != nil || closes < 20 {
		t.Errorf("of 40 pages, %d heard tailwater:close, %v", closes, err)
	}
}
