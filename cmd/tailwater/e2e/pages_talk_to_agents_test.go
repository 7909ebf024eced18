package e2e

import (
	"context"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"
)

// shown returns what /examples/agents shows in its boxes: the settings of the bridge, and the program that answers.
func shown(t *testing.T) (s settings, program string) {
	t.Helper()
	page, err := os.ReadFile("../../../web/examples/agents.html")
	noError(t, err)
	boxes := regexp.MustCompile(`(?s)<pre class="command"><code>(.*?)</code>`).FindAllSubmatch(page, -1)
	if len(boxes) != 2 {
		t.Fatalf("%d boxes", len(boxes))
	}
	s = settings{"HTTP_PAGES": "true", "LIMIT_PUBLISH_RATE": "0"}
	for _, set := range regexp.MustCompile(`TAILWATER_(\w+)='([^']*)'`).FindAllStringSubmatch(html.UnescapeString(string(boxes[0][1])), -1) {
		s[set[1]] = set[2]
	}
	return s, html.UnescapeString(string(boxes[1][1]))
}

// runShown builds and starts the program.
func runShown(t *testing.T, program, url string) {
	t.Helper()
	dir := t.TempDir()
	source, binary := writeFile(t, dir, "main.go", program), filepath.Join(dir, "agent")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	agent := exec.Command(binary)
	agent.Env = append(os.Environ(), "NATS_URL="+url)
	noError(t, agent.Start())
	t.Cleanup(func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
	})
}

// The page lists agents and talks to one: with the settings and the program that it shows, over a reload, with an answer to what the agent asks.
func TestPagesTalkToAgents(t *testing.T) {
	onlySoak(t) // it builds the program
	s, program := shown(t)
	inBrowser(t, map[string]func(*testing.T, context.Context){
		"the program shown": func(t *testing.T, browser context.Context) {
			n := startNode(t, s)
			page := openTab(t, browser, n.URL()+"/examples/agents")
			page.waitFor(`!document.querySelector("#none").hidden && document.querySelector("#send").disabled`)
			heard := make(chan *nats.Msg, 10)
			work(t, n.NATSURL(), "agents.hb.>", func(m *nats.Msg) { heard <- m })
			runShown(t, program, n.NATSURL())
			page.waitFor(`document.querySelector("#choice button").click() ?? document.querySelector("#agent").value === "agents.prompt.parrot.me.demo"`)
			page.prompt("every chunk in order")
			page.waitFor(`document.querySelector("#queries .asks")?.textContent.includes("shout")`)
			page.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#queries input").value = "yes"; document.querySelector("#queries button").click()`))
			page.waitFor(`document.querySelector("#answer").textContent.startsWith("EVERY ") && !document.querySelector("#queries form")`)
			page.do(chromedp.Reload())
			page.waitFor(`document.querySelector("#answer").textContent === "EVERY CHUNK IN ORDER " && document.querySelector("#state").dataset.state === "idle"`)
			page.waitFor(`!document.querySelector("#queries form") && document.querySelector("#problem").textContent === ""`)
		},
		"any agent": func(t *testing.T, browser context.Context) {
			n := startNode(t, s)
			a := startAgent(t, n.NATSURL(), "one")
			startAgent(t, n.NATSURL(), "two")
			stops := make(chan *nats.Msg, 10)
			work(t, n.NATSURL(), "answers.*.*.stop", func(m *nats.Msg) { stops <- m })
			page := openTab(t, browser, n.URL()+"/examples/agents")
			page.waitFor(`[...document.querySelector("#agent").options].map((o) => o.text).join() === "test.ada.one,test.ada.two" && !document.querySelector("#attach").hidden`)
			page.prompt("fail too many")
			page.waitFor(`document.querySelector("#problem").textContent === "too many" && document.querySelector("#answer").textContent === "one"`)
			attach := func(size int) {
				page.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{
					const files = new DataTransfer();
					files.items.add(new File(["a".repeat(%d)], "a.txt"));
					document.querySelector("#files").files = files.files;
				}; 0`, size)))
			}
			attach(60_000) // larger, in base 64, than the agent accepts
			page.prompt("files")
			page.waitFor(`document.querySelector("#problem").textContent.includes("64 KB")`)
			if len(a.asked) != 1 {
				t.Errorf("the agent was asked %d times", len(a.asked))
			}
			attach(3)
			page.prompt("files")
			page.waitFor(`document.querySelector("#answer").textContent === "herea.txt "`)
			page.waitFor(`fetch(document.querySelector("#answer a").href).then((r) => r.text(), String).then((text) => text !== "") && document.querySelector("#answer a").download === "a.txt"`)
			page.prompt("loop")
			a.work <- "<b>on</b> and "
			page.waitFor(`document.querySelector("#answer").textContent === "<b>on</b> and "`)
			page.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#stop").click()`))
			<-stops
			a.work <- "on" // the protocol has no stop
			a.work <- ""
			page.waitFor(`document.querySelector("#answer").textContent === "<b>on</b> and on" && document.querySelector("#stop").disabled`)
		},
		"without routes": func(t *testing.T, browser context.Context) {
			n := startNode(t, settings{"HTTP_PAGES": "true"})
			page := openTab(t, browser, n.URL()+"/examples/agents")
			page.waitForState("refused")
		},
		"fits": func(t *testing.T, browser context.Context) {
			n := startNode(t, s)
			startAgent(t, n.NATSURL(), "one")
			for _, l := range looks() {
				page := openTab(t, browser, "about:blank")
				page.apply(l)
				page.do(chromedp.Navigate(n.URL() + "/examples/agents"))
				page.waitFor(`document.querySelector("#agent").value !== ""`)
				page.prompt("query May I delete 200 files?")
				page.waitFor(`document.querySelectorAll("#queries form").length === 2 && document.documentElement.scrollWidth <= innerWidth`)
				page.picture(fmt.Sprintf("agents-%d-%s-%s", l.width, l.scheme, l.languages))
			}
		},
	})
}

// prompt fills in the form of /examples/agents and sends it.
func (p tab) prompt(text string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector("#prompt").value = %q; document.querySelector("#send").click()`, text)))
}
