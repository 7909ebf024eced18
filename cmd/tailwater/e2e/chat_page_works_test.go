package e2e

import (
	"context"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

var screenshot = flag.String("screenshot", "", "write a picture of the chat page to this file")

func TestInTheBrowser(t *testing.T) {
	t.Parallel()
	inBrowser(t, map[string]func(*testing.T, context.Context){
		"chat":         testChat,
		"restart":      testRestart,
		"refused room": testRefusedRoom,
		"clock":        testClock,
	})
}

func testChat(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	ada := openTab(t, browser, n.URL()+"/")
	bob := openTab(t, browser, n.URL()+"/?room=room1")
	ada.waitForState("open")
	bob.waitForState("open")

	ada.do(
		chromedp.SetValue("#name", "Ada"),
		chromedp.SendKeys("#text", "Is anybody here?\r"),
	)
	ada.waitForMessage("Ada", "Is anybody here?")
	bob.waitForMessage("Ada", "Is anybody here?")
	ada.waitFor(`document.querySelector("#text").value === ""`)

	// Whatever NATS brings is shown as text, and does nothing else.
	conn := publisher(t, n.NATSURL())
	for _, text := range []string{"straight from nats pub", "<img src=x onerror=document.title=1>", `{\"name\":7,\"text\":[]}`} {
		plain := strings.ReplaceAll(text, `\`, "")
		noError(t, conn.Publish("chat.room1", []byte(plain)))
		bob.waitForMessage("", text)
	}
	noError(t, conn.Publish("chat.room1", []byte(`{"name":"Grace","text":"I am"}`)))
	ada.waitForMessage("Grace", "I am")
	bob.waitFor(`document.title === "room1 · Tailwater" && !document.querySelector("#log img")`)
}

// TestScreenshot makes the picture of the README.
func TestScreenshot(t *testing.T) {
	if *screenshot == "" {
		t.Skip("no file was named with -screenshot")
	}
	n := startNode(t, nil)
	page := openTab(t, startBrowser(t), n.URL()+"/")
	page.waitForState("open")
	page.name("Ada")
	page.do(chromedp.EmulateViewport(840, 600, chromedp.EmulateScale(1.5)))
	page.awaitHere(1, "Ada") // and no longer the guest
	publish := func(text string) {
		t.Helper()
		if status, body := post(t, n.URL()+"/events/chat.room1", text); status != http.StatusCreated {
			t.Fatalf("POST answers %d %s", status, body)
		}
		page.waitFor(`document.querySelector("#log").lastElementChild.matches(".message")`)
	}
	enter(t, n.URL(), "chat.room1", "Grace")
	page.awaitNotice("Grace joined")
	publish(`{"name":"Grace","text":"The spillway gate is open. Is anything coming through?"}`)
	page.do(chromedp.SendKeys("#text", "Everything, and in order.\r"))
	page.waitFor(`document.querySelectorAll("#log .own").length === 1 && !document.querySelector("#outbox *")`)
	publish("hello from nats pub")
	page.waitForMessage("", "hello from nats pub")
	enter(t, n.URL(), "chat.room1", "Linus")
	page.awaitNotice("Linus joined")
	page.awaitHere(3, "Ada", "Grace", "Linus")
	page.do(chromedp.Click("#who summary"), chromedp.Focus("#text"))
	page.waitFor(`document.getAnimations().every(animation => animation.playState === "finished")`)
	picture, err := chromedp.Run(page.ctx, chromedp.CaptureScreenshot())
	noError(t, err)
	noError(t, os.WriteFile(*screenshot, picture, 0o644))
}

func testRestart(t *testing.T, browser context.Context) {
	first := startNode(t, nil)
	page := openTab(t, browser, first.URL()+"/")
	page.waitForState("open")
	first.stop(t)
	page.waitForState("offline")

	second := startNode(t, settings{"HTTP_LISTEN": first.Address().String()})
	page.waitForState("open")
	page.waitFor(`document.querySelector("#state").dataset.reconnects === "1"`)
	if status, body := post(t, second.URL()+"/events/chat.room1", "welcome back"); status != http.StatusCreated {
		t.Fatalf("POST answers %d %s", status, body)
	}
	page.waitForMessage("", "welcome back")
}

func testRefusedRoom(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	page := openTab(t, browser, n.URL()+"/?room=a..b")
	page.waitForState("refused")
	page.waitFor(`document.querySelector("#offers").innerText.includes("token 3 is empty") && document.querySelector("#composer").hidden`)
	page.do(chromedp.Click("#offers .does a"))
	page.waitForState("open")
	page.waitFor(`location.search === "?room=room1" && document.querySelector("#offers").hidden`)
}

func testClock(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	page := openTab(t, browser, n.URL()+"/clock")
	page.waitFor(`/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(document.querySelector("#raw").textContent)`)
}
