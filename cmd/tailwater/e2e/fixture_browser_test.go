package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// startBrowser opens a profile of its own in a headless Chromium with no windows, which all tests share. Without Chromium the test is
// skipped, except where CI must have it.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path := findBrowser()
	if path == "" && os.Getenv("CI") != "" {
		t.Fatal("there is no Chromium; .ci/run installs Debian's package chromium")
	}
	if path == "" {
		t.Skip("there is no Chromium here; install one to test the pages")
	}
	shared, err := chromium.start(path)
	if err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	profile, quit := chromedp.NewContext(shared, chromedp.WithNewBrowserContext())
	t.Cleanup(func() {
		if err := chromedp.Cancel(profile); err != nil {
			t.Errorf("close the profile: %v", err)
		}
		quit()
	})
	if err := chromedp.Do(profile); err != nil {
		t.Fatalf("open a profile: %v", err)
	}
	return profile
}

// chromium is the browser of all tests, which takes two seconds of a processor to start.
var chromium browserProcess

type browserProcess struct {
	once sync.Once
	ctx  context.Context
	stop context.CancelFunc
	dir  string
	err  error
}

func (b *browserProcess) start(path string) (context.Context, error) {
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "tailwater-browser-"); b.err != nil {
			return
		}
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path),
			chromedp.NoSandbox, // containers run tests as root, where the sandbox refuses to start
			chromedp.UserDataDir(b.dir),
			chromedp.Flag("disable-quic", true),
			chromedp.DisableGPU,
			chromedp.Flag("disable-component-update", true),
			// chromedp's own, and the suggestions below the address bar: each window loads two pages for them, which cost more than ours.
			chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,WebUIOmniboxPopup,WebUIOmniboxAimPopup"),
			chromedp.Flag("ignore-certificate-errors", true), // those of the tests are nobody's
			chromedp.Flag("host-resolver-rules", "MAP rebound.example 127.0.0.1, MAP chat.example.com 127.0.0.1"),
			chromedp.WindowSize(1000, 720),
		)
		if !*soak { // there tabs have processes of their own, as people's do; these cost TestClient a quarter of its processor time
			options = append(options, chromedp.Flag("process-per-site", true), chromedp.Flag("renderer-process-limit", "1"))
		}
		allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
		b.ctx, _ = chromedp.NewContext(allocator)
		b.stop = stop
		b.err = chromedp.Do(b.ctx)
	})
	return b.ctx, b.err
}

// end ends the browser if a test has started it.
func (b *browserProcess) end() error {
	if b.stop == nil {
		return nil
	}
	err := chromedp.Cancel(b.ctx)
	b.stop()
	return errors.Join(err, os.RemoveAll(b.dir))
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
	noError(p.t, chromedp.Do(p.ctx, steps...))
}

// waitFor waits until a condition in JavaScript holds, in the present page or one that takes its place.
func (p tab) waitFor(condition string) {
	p.t.Helper()
	wait := func() error {
		_, err := chromedp.Run(p.ctx, chromedp.Poll[bool](condition, chromedp.WithPollingInterval(20*time.Millisecond)))
		return err
	}
	err := wait()
	for err != nil && strings.Contains(err.Error(), "Cannot find context") { // chromedp did not know of the new page yet
		err = wait()
	}
	if err != nil {
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

// inBrowser runs tests at the same time, in one profile of the browser.
func inBrowser(t *testing.T, tests map[string]func(*testing.T, context.Context)) {
	browser := startBrowser(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, browser)
		})
	}
}
