package e2e

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// startBrowser starts a headless Chromium with no windows, and with more options. Without one the test is skipped, except where CI must
// have it.
func startBrowser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path := findBrowser()
	if path == "" && os.Getenv("CI") != "" {
		t.Fatal("there is no Chromium; .ci/run installs Debian's package chromium")
	}
	if path == "" {
		t.Skip("there is no Chromium here; install one to test the pages")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // containers run tests as root, where the sandbox refuses to start
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("ignore-certificate-errors", true), // those of the tests are nobody's
		chromedp.Flag("host-resolver-rules", "MAP rebound.example 127.0.0.1"),
		chromedp.WindowSize(1000, 720),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	browser, quit := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(browser); err != nil {
			t.Errorf("end the browser: %v", err)
		}
		quit()
		stop()
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return browser
}

func findBrowser() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// tab is a page in the browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func openTab(t *testing.T, browser context.Context, url string) tab {
	t.Helper()
	return openTabFor(t, browser, url, patience)
}

// openTabFor is openTab for a tab that is used for longer.
func openTabFor(t *testing.T, browser context.Context, url string, limit time.Duration) tab {
	t.Helper()
	opened, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	if err := chromedp.Do(opened); err != nil { // this call's context is the tab's lifetime, so it has no limit
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(opened, limit)
	t.Cleanup(cancel)
	page := tab{t, limited}
	page.do(chromedp.Navigate(url))
	return page
}

func (p tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// waitFor waits until a condition in JavaScript holds.
func (p tab) waitFor(condition string) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool](condition, chromedp.WithPollingInterval(20*time.Millisecond))); err != nil {
		text, _ := chromedp.Run(context.WithoutCancel(p.ctx), chromedp.Evaluate[string](`document.documentElement.textContent`))
		p.t.Fatalf("wait for %s: %v; the page says:\n%s", condition, err, text)
	}
}

func (p tab) waitForState(state string) {
	p.t.Helper()
	p.waitFor(`document.querySelector("#state").dataset.state === "` + state + `"`)
}

// waitForMessage waits for a message of that author and text, which may be any string without quotes.
func (p tab) waitForMessage(who, what string) {
	p.t.Helper()
	p.waitFor(`[...document.querySelectorAll("#log .message")].some(m =>
		m.querySelector(".who").textContent.includes("` + who + `") && m.querySelector(".what").textContent === "` + what + `")`)
}

// inBrowser runs tests beside each other, in one browser.
func inBrowser(t *testing.T, tests map[string]func(*testing.T, context.Context)) {
	browser := startBrowser(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, browser)
		})
	}
}
