package e2e

// The pages as a screen reader finds them: in Chromium's accessibility tree.

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

func TestPagesReadAloud(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	inBrowser(t, map[string]func(*testing.T, context.Context){
		"chat":    testChatReadAloud,
		"inspect": testInspectReadAloud,
		"clock":   testClockReadAloud,
	})
}

// aloud returns what a screen reader finds on a page, in order: `role "name"` for each element.
func (p tab) aloud() (found []string) {
	p.t.Helper()
	var nodes []*accessibility.Node
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		tree, err := cdp.Call(ctx, target, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		nodes = tree.Nodes
		return err
	}))
	byID := map[accessibility.NodeID]*accessibility.Node{}
	for _, node := range nodes {
		byID[node.NodeID] = node
	}
	var walk func(*accessibility.Node)
	walk = func(node *accessibility.Node) {
		role := textOf(node.Role)
		if !node.Ignored && !slices.Contains([]string{"InlineTextBox", "generic", "none", "LineBreak"}, role) {
			found = append(found, fmt.Sprintf("%s %q", role, textOf(node.Name)))
		}
		for _, id := range node.ChildIDs {
			if child := byID[id]; child != nil {
				walk(child)
			}
		}
	}
	walk(nodes[0])
	return found
}

func textOf(value *accessibility.Value) (text string) {
	if value != nil {
		_ = json.Unmarshal(value.Value, &text) // of another type: no text
	}
	return text
}

// aloudHas checks that a screen reader finds these, in this order.
func (p tab) aloudHas(what string, want ...string) {
	p.t.Helper()
	found := p.aloud()
	rest := found
	for _, w := range want {
		at := slices.Index(rest, w)
		if at < 0 {
			p.t.Errorf("%s: no %s in its place among:\n%s", what, w, strings.Join(found, "\n"))
			return
		}
		rest = rest[at+1:]
	}
}

// announce makes the page note what a screen reader announces by itself: text that is added to a live region, or a live region that appears.
func (p tab) announce() {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](`announced = [], new MutationObserver((changes) => {
		const texts = changes.flatMap(({type, target, addedNodes}) => {
			const region = (target.nodeType === 1 ? target : target.parentElement)?.closest("[role=log], [role=status], [role=alert]");
			if (!region || region.hidden || region.ariaLive === "off") return [];
			if (type === "attributes") return target === region ? [region.innerText] : [];
			return [...addedNodes].filter(node => !node.matches?.("button")).map(node => node.textContent);
		});
		announced.push(...texts.filter(text => text));
	}).observe(document.body, {subtree: true, childList: true, attributeFilter: ["hidden"]}); 0`))
}

// announced waits until something was announced, and checks that it was the only such announcement.
func (p tab) announced(words string) {
	p.t.Helper()
	p.waitFor(`announced.some(text => text.includes(` + inJS(words) + `))`)
	if all := p.value(`announced.join("; ")`); strings.Count(all, words) != 1 {
		p.t.Errorf("%q is announced several times: %s", words, all)
	}
}

// What happens in a room is announced once, everything has a name, and the keyboard reaches everything in the order of the page.
func testChatReadAloud(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	page, _ := openPerson(t, browser, n.URL()+"/")
	page.waitForState("open")
	page.aloudHas("an empty room", `banner ""`, `image "Tailwater"`, `textbox "Room"`, `textbox "Your name"`, `DisclosureTriangle "1 here"`, `link "Inspect"`,
		`status ""`, `StaticText "open"`, `main ""`, `log "Messages"`, `heading "Still water"`, `button "Copy"`, `button "Choose a name"`, `textbox "Message"`, `button "Send"`)
	page.name("Ada")
	page.announce()
	page.do(chromedp.SendKeys("#text", "Everything, and in order.\r"))
	page.announced("Everything, and in order.")
	leave := enter(t, n.URL(), "chat.room1", "Grace")
	page.announced("Grace joined")
	leave.body.Close()
	page.do(chromedp.Click("#who summary"))
	page.aloudHas("a room", `textbox "Room"`, `list "Who is here"`, `StaticText "Ada"`, `StaticText "you"`, `status ""`, `StaticText "open"`, `log "Messages"`,
		`StaticText "Ada"`, `StaticText "Everything, and in order."`, `StaticText "Grace joined"`, `textbox "Message"`)
	if got, want := page.byKeyboard("#room", 8), "name,SUMMARY,clock,inspect,scroller,BUTTON Copy,text,send"; got != want {
		t.Errorf("the keyboard reaches %s; want %s", got, want)
	}
	page.announced("Grace left")
	page.emulateNetwork(true)
	page.announced("No connection")
	if all := page.value(`announced.join("; ")`); strings.Contains(all, "reconnecting") {
		t.Errorf("the loss of the connection is announced twice: %s", all)
	}
	page.aloudHas("no connection", `alert ""`, `heading "No connection"`, `button "Retry now"`, `button "Send later"`)
	page.emulateNetwork(false)
	page.announced("reconnected 1×")
	page.do(chromedp.Navigate(n.URL() + "/?room=a..b"))
	page.waitForState("refused")
	page.aloudHas("a refusal", `status ""`, `heading "This room cannot be opened"`, `StaticText "Its name is not a valid subject."`, `link "Go to room1"`)
}

// byKeyboard returns where the Tab key leads, step by step.
func (p tab) byKeyboard(from string, steps int) string {
	p.t.Helper()
	var reached []string
	p.do(chromedp.Focus(from))
	for range steps {
		p.do(chromedp.KeyEvent("\t"))
		reached = append(reached, p.value(`document.activeElement.id || document.activeElement.tagName + (document.activeElement.ariaLabel ? " " + document.activeElement.ariaLabel : "")`))
	}
	return strings.Join(reached, ",")
}

// The inspector's fields, figures, rows and graphs have names.
func testInspectReadAloud(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	page, _ := openPerson(t, browser, n.URL()+"/inspect?subject=chat.look")
	page.waitForState("open")
	publishTo(t, n.URL()+"/events/chat.look", "one")
	page.says("#rows", "message")
	page.aloudHas("the inspector", `heading "Inspect"`, `combobox "Subject or filter"`, `combobox "Since"`, `combobox "Format"`, `textbox "Token (never stored)"`, `button "Stop"`,
		`status ""`, `StaticText "open"`, `region "Flow"`, `image "Events per second, in the last minute"`, `region "Timeline"`, `list "What has happened, newest first"`,
		`region "Events"`, `button "Pause"`, `table ""`, `columnheader "Delay"`, `cell "chat.look"`, `region "Publish"`, `textbox "Payload"`, `region "As code"`, `group "Language"`,
		`region "Does something in between buffer?"`)
}

// The time is read once, although the page shows it twice.
func testClockReadAloud(t *testing.T, browser context.Context) {
	n := startNode(t, nil)
	page, _ := openPerson(t, browser, n.URL()+"/clock")
	page.waitForState("open")
	page.waitFor(`document.querySelector("#raw").textContent.endsWith("Z")`)
	found := page.aloud()
	times := slices.DeleteFunc(found, func(line string) bool {
		return !strings.HasPrefix(line, "StaticText ") || strings.Count(line, ":") != 2 || strings.Contains(line, "T") && strings.HasSuffix(line, `Z"`)
	})
	if len(times) != 1 {
		t.Errorf("the time is read as %q", times)
	}
}
