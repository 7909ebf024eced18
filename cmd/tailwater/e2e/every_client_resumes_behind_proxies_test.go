package e2e

import (
	"context"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Behind each proxy, over HTTP/1.1 and HTTP/2, Chromium's own EventSource, the module /client.js and tailwater sub continue after a bridge was stopped
// and after it was killed: each gets every message once and in order, those included that came while no bridge was there. One EventSource reads from
// the first to the last. Pages can post, too.
func TestProxiesServeEveryClient(t *testing.T) {
	onlySoak(t)
	browser := startBrowser(t)
	server := bridgetest.StartNATSServer(t)
	stored := connectJetStream(t, server.URL())
	createStream(t, stored, nil)
	for _, d := range deployedProxies() {
		t.Run(d.program, func(t *testing.T) {
			t.Parallel()
			subject := "chat." + d.program
			s := behindProxy(t)
			s["NATS_URL"], s["HTTP_PAGES"], s["DRAIN_WINDOW"] = server.URL(), "true", "500ms"
			b := startBridge(t, s)
			var all []*resuming
			for _, d.isHTTP1 = range []bool{false, true} {
				all = append(all, openResuming(t, browser, d, b.address, subject))
			}
			var published []string
			publish := func(count int) {
				t.Helper()
				for range count {
					published = append(published, fmt.Sprint("message ", len(published)))
					if _, err := stored.Publish(t.Context(), subject, []byte(published[len(published)-1])); err != nil {
						t.Fatal(err)
					}
				}
			}
			allHave := func() {
				t.Helper()
				for _, r := range all {
					r.have(published)
				}
			}
			publish(2)
			allHave()
			b.stop()
			publish(2)
			b.start()
			publish(1)
			allHave()
			for _, r := range all {
				r.do(chromedp.Evaluate[chromedp.Void](`failures = 0`))
			}
			b.kill()
			publish(2)
			for _, r := range all {
				r.waitFor(`failures >= 2`) // the connection has broken, and then there was no bridge
			}
			b.start()
			publish(1)
			allHave()
			for i, r := range all { // a page's posts are those of the proxy's own origin
				published = append(published, fmt.Sprint("posted by ", i))
				r.do(chromedp.Evaluate[chromedp.Void](`tailwater.publish(at + path, ` + inJS(published[len(published)-1]) + `); 0`))
				allHave()
			}
		})
	}
}

// resuming reads a subject through a proxy: by a tab with the module and an EventSource of its own, and by tailwater sub.
type resuming struct {
	tab
	sub *command
}

func openResuming(t *testing.T, browser context.Context, d deployed, bridge, subject string) *resuming {
	t.Helper()
	f := d.start(t, bridge)
	authority := f.authority.write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.authority.root.Raw}))
	sub := begin(t, nil, "sub", subject, "--since=all", "--raw", "--url="+f.url, "--header=Host: chat.example.com", "--tlsca="+authority)
	p := openClient(t, browser, strings.Replace(f.url, "127.0.0.1", "chat.example.com", 1), "/events/"+subject, "")
	p.do(chromedp.Evaluate[chromedp.Void](`events = []; opened = false; failures = 0;
		source = new EventSource(path);
		source.addEventListener("tailwater:open", () => opened = true);
		for (const lost of ["tailwater:gap", "tailwater:reset"]) source.addEventListener(lost, () => events.push(lost));
		source.onerror = () => failures++;
		source.onmessage = event => events.push(event.data); 0`))
	p.waitFor(`opened`)
	if used := p.value(`performance.getEntriesByType("navigation")[0].nextHopProtocol`); (used == "h2") == d.isHTTP1 {
		t.Errorf("the browser speaks %s to the proxy", used)
	}
	return &resuming{p, sub}
}

// have waits until each client has exactly these messages.
func (r *resuming) have(want []string) {
	r.t.Helper()
	r.hasGot(want...)
	r.waitFor(`events.length >= ` + fmt.Sprint(len(want)))
	if got := r.value(`events.join()`); got != strings.Join(want, ",") {
		r.t.Errorf("EventSource has got %s, want %s", got, want)
	}
	if got := strings.Join(r.sub.lines(r.t, len(want)), ""); got != strings.Join(want, "\n")+"\n" {
		r.t.Errorf("sub has printed %q, want %q", got, want)
	}
}
