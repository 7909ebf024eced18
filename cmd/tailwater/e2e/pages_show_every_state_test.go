package e2e

// Pictures of the pages in all their states, for people to look at: go test -run TestPagesPictures -soak -screens=FOLDER.

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// look is how a page is looked at.
type look struct {
	name          string
	width, height int64
	scheme        string
	languages     string
}

func (l look) String() string {
	return strings.Join([]string{l.name, l.scheme, l.languages}, "-")
}

// looks are all of them where pictures are wanted; otherwise each two of screen, scheme and language meet in one.
func looks() (all []look) {
	for _, screen := range []look{{name: "phone", width: 390, height: 844}, {name: "desktop", width: 1280, height: 800}} {
		for _, scheme := range []string{"light", "dark"} {
			for _, languages := range []string{"en-US", "zh-CN"} {
				screen.scheme, screen.languages = scheme, languages
				if isEven := (screen.name == "desktop") != (scheme == "dark") != (languages == "zh-CN"); *screens != "" || !isEven {
					all = append(all, screen)
				}
			}
		}
	}
	return all
}

// apply makes a page look so.
func (p tab) apply(l look) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(l.width, l.height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}},
		})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, target, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "test", AcceptLanguage: l.languages})
		return err
	}))
}

// Nothing is cut off or out of view in any state of the pages, on a phone and on a desktop, by day and by night, in both languages.
func TestPagesPictures(t *testing.T) {
	onlySoak(t)
	browser := startBrowser(t)
	for _, l := range looks() {
		t.Run(l.String(), func(t *testing.T) { testPictures(t, browser, l) })
	}
}

func testPictures(t *testing.T, browser context.Context, l look) {
	n := startNode(t, nil)
	others, _ := startBeside(t, settings{"ANONYMOUS_SUBSCRIBE": "news.>,orders.eu", "ANONYMOUS_PUBLISH": "orders.>"})
	page, _ := openPerson(t, browser, "about:blank")
	page.apply(l)
	see := func(name string) {
		t.Helper()
		page.nothingClipped(name)
		page.picture(name + "-" + l.String())
	}
	open := func(url, state string) {
		t.Helper()
		page.do(chromedp.Navigate(url))
		page.waitForState(state)
	}
	open(n.URL()+"/?room=quiet", "open")
	see("empty")
	for _, text := range conversation {
		if status, body := post(t, n.URL()+"/events/chat.room1", text); status != 201 {
			t.Fatalf("%d %s", status, body)
		}
	}
	open(n.URL()+"/", "open")
	grace, _ := openPerson(t, browser, n.URL()+"/")
	grace.waitForState("open")
	grace.name("Grace")
	page.name("Ada")
	page.waitFor(`document.querySelector("#who summary").textContent.startsWith("2")`)
	page.do(chromedp.SendKeys("#text", "Everything, and in order.\r"))
	page.do(chromedp.SendKeys("#text", "Not one is missing.\r"))
	page.waitFor(`document.querySelectorAll("#log .own").length === 2 && !document.querySelector("#outbox *")`)
	see("chat")
	page.do(chromedp.Click("#who summary"))
	see("here")
	page.do(chromedp.Click("#who summary"), chromedp.Focus("#room"))
	see("rooms")
	page.do(chromedp.Focus("#text"))
	page.emulateNetwork(true)
	page.waitFor(`!document.querySelector("#offline").hidden`)
	page.do(chromedp.SendKeys("#text", "Can you hear me?\r"))
	page.waitFor(`!!document.querySelector("#outbox .message")`)
	see("offline") // with what has become of the message
	page.emulateNetwork(false)
	page.waitForState("open")
	open(n.URL()+"/?room=a..b", "refused")
	see("refused")
	open(n.URL()+"/clock", "open")
	page.waitFor(`document.querySelector("#raw").textContent.endsWith("Z")`)
	see("clock")
	open(others.URL()+"/", "idle")
	see("offers")
	open(others.URL()+"/?subject=news.sports", "open")
	see("reading")
}

var conversation = []string{
	`{"name":"Grace","text":"The spillway gate is open. Is anything coming through?"}`,
	`{"name":"Grace","text":"The plan is at https://example.com/plan?gate=3"}`,
	`{"order":"A-1204","items":[{"sku":"pump-12","count":3},{"sku":"valve-3","count":1}],"paid":true}`,
	"hello from nats pub",
	`{"name":"` + strings.Repeat("Long-Name-", 12) + `","text":"` + strings.Repeat("A wall of text goes on and on. ", 60) + `"}`,
	`{"name":"李雷","text":"水来了。\n第二行"}`,
}
