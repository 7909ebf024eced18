package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// A page of somebody else asks for things without CORS, as for images: it needs no leave for that, and reads nothing of the
// answers. What it could do with them is to keep this machine busy, and to take the places of others.
func TestPagesOfOthersAskBlindly(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	inBrowser(t, map[string]func(*testing.T, context.Context){
		"profiler": testBlindProfiler,
		"flood":    testBlindFlood,
		"link":     testLinkOfAnother,
	})
}

// overseer is a proxy that knows how each path was answered.
type overseer struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string][]int // statuses by path
}

func startOverseer(t *testing.T, of string) *overseer {
	t.Helper()
	target, err := url.Parse(of)
	noError(t, err)
	o := &overseer{seen: map[string][]int{}}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(response *http.Response) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		path := response.Request.URL.Path
		o.seen[path] = append(o.seen[path], response.StatusCode)
		return nil
	}
	o.Server = httptest.NewServer(proxy)
	t.Cleanup(o.Close)
	return o
}

// answers gives the statuses that a path was answered with, once there are so many.
func (o *overseer) answers(t *testing.T, path string, count int) (statuses []int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d requests for %s", count, path), func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		statuses = slices.Clone(o.seen[path])
		return len(statuses) >= count
	})
	return statuses
}

// The profiler runs for whoever operates the bridge, not for the pages that they visit beside it.
func testBlindProfiler(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	admin := startOverseer(t, n.AdminURL())
	const page = `<!doctype html><meta charset=utf-8><script>
		const at = new URLSearchParams(location.search).get("at");
		const add = (tag, url) => document.body.append(Object.assign(document.createElement(tag), {src: at + url}));
		onload = () => {
			fetch(at + "/debug/pprof/trace?seconds=0.01", {mode: "no-cors"});
			fetch(at + "/debug/pprof/symbol");
			add("img", "/debug/pprof/profile?seconds=1");
			add("iframe", "/debug/pprof/");
			add("script", "/metrics");
			open(at + "/debug/pprof/heap");
		};
	</script><body>`
	evil := startEvil(t, page)
	for i, origin := range []string{evil.URL, strings.Replace(evil.URL, "127.0.0.1", "evil.localhost", 1)} { // the same site, and another
		openTab(t, browser, origin+"/page?at="+url.QueryEscape(admin.URL))
		for _, path := range []string{"/debug/pprof/trace", "/debug/pprof/symbol", "/debug/pprof/profile", "/debug/pprof/", "/metrics", "/debug/pprof/heap"} {
			if got := admin.answers(t, path, i+1)[i]; got != http.StatusForbidden {
				t.Errorf("a page of %s gets %d from %s", origin, got, path)
			}
		}
	}
	own := openTab(t, browser, n.AdminURL()+"/debug/pprof/") // typed
	own.waitFor(`document.body.textContent.includes("goroutine")`)
	own.follow(`a[href^=heap]`, n.AdminURL()+"/debug/pprof/heap")
	own.waitFor(`document.body.textContent.includes("heap profile")`)
}

// Event streams that nobody reads take no places, whatever asks for them: a visitor finds one.
func testBlindFlood(t *testing.T, browser context.Context) {
	n := startNode(t, settings{"HTTP_ORIGINS": "https://chat.example.com", "LIMIT_CONNECTIONS_PER_IP": "100"}) // room for sockets, so that all are answered
	bridge := startOverseer(t, n.URL())
	const page = `<!doctype html><meta charset=utf-8><body><script>
		// A browser opens six connections to a name. There are enough names.
		const port = new URLSearchParams(location.search).get("port");
		const kept = []; // or the browser would cancel what nobody can read
		const at = (i, by) => "http://n" + i % 10 + ".localhost:" + port + "/events/chat." + by + "?i=" + i;
		const add = (tag, src) => document.body.append(Object.assign(document.createElement(tag), {src}));
		onload = () => {
			for (let i = 0; i < 30; i++) fetch(at(i, "fetch"), {mode: "no-cors"}).then(r => kept.push(r), () => 0);
			for (let i = 0; i < 10; i++) add("img", at(i, "image"));
			for (let i = 0; i < 10; i++) add("iframe", at(i, "frame"));
		};
	</script>`
	evil := startEvil(t, page)
	openTab(t, browser, evil.URL+"/page?port="+bridge.URL[strings.LastIndex(bridge.URL, ":")+1:])
	for by, count := range map[string]int{"fetch": 30, "image": 10, "frame": 10} {
		if got := bridge.answers(t, "/events/chat."+by, count); slices.ContainsFunc(got, func(status int) bool { return status != http.StatusForbidden }) {
			t.Errorf("by %s: %v", by, got)
		}
	}
	visitor := openTab(t, browser, n.URL()+"/")
	visitor.waitForState("open")
	if opened := n.Live.Stats().Connections.Opened; opened != 1 {
		t.Errorf("%d connections were opened, one of them by the visitor", opened)
	}
}

// A link on somebody else's page leads to the pages, and to nothing else.
func testLinkOfAnother(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	const page = `<!doctype html><meta charset=utf-8><body><script>
		document.body.append(Object.assign(document.createElement("a"), {href: new URLSearchParams(location.search).get("at")}));
	</script>`
	evil := startEvil(t, page)
	follow := func(path string) tab {
		tab := openTab(t, browser, strings.Replace(evil.URL, "127.0.0.1", "evil.localhost", 1)+"/page?at="+url.QueryEscape(n.URL()+path))
		tab.follow("a", n.URL()+path)
		return tab
	}
	follow("/").waitForState("open")
	follow("/events/chat.room1?poll=1").waitFor(`document.body.textContent.includes("foreign-origin")`)
	typed := openTab(t, browser, n.URL()+"/events/nothing?poll=1")
	typed.waitFor(`document.body.textContent.includes("forbidden")`) // by what anyone may read, and not by the gate
}

// follow clicks a link, and waits until the browser is where it leads.
func (p tab) follow(link, to string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector(` + inJS(link) + `).click()`))
	eventually(p.t, "the browser is at "+to, func() bool {
		// While it is between two pages there is nothing to ask.
		there, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`location.href.startsWith(`+inJS(to)+`) && document.readyState === "complete"`))
		return err == nil && there
	})
}
