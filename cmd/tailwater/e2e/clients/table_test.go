//go:build unix

package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// client is a client of others, in one of the environments where it runs.
type client struct {
	name    string            // as its users know it
	in      string            // where it runs
	program string            // its name there
	from    string            // its npm package as package.json calls it, or its Go module; empty where the browser has it
	cannot  map[string]string // faults that it does not live with, and what happens
	signals bool              // it reads Datastar's events alone
}

var clients = slices.Concat(
	inBrowsers(client{name: "EventSource", program: "eventsource"}),
	inBrowsers(client{name: "`/client.js`", program: "client", from: own}),
	[]client{
		{name: "eventsource 2", in: inNode, program: "eventsource2", from: "eventsource2"},
		{name: "eventsource 3", in: inNode, program: "eventsource3", from: "eventsource3"},
		{name: "eventsource 4", in: inNode, program: "eventsource4", from: "eventsource4"},
		{name: "eventsource 5", in: inNode, program: "eventsource5", from: "eventsource5"},
		{name: "undici", in: inNode, program: "undici", from: "undici"},
		{name: "launchdarkly-eventsource", in: inNode, program: "launchdarkly-eventsource", from: "launchdarkly-eventsource"},
	},
	inBrowsers(client{name: "`fetch` with eventsource-parser", program: "fetch", from: "eventsource-parser"}),
	inBrowsers(client{name: "fetch-event-source", program: "fetch-event-source", from: "@microsoft/fetch-event-source", cannot: emptyLine}),
	inBrowsers(client{name: "event-source-polyfill", program: "event-source-polyfill", from: "event-source-polyfill"}),
	inBrowsers(client{name: "extended-eventsource", program: "extended-eventsource", from: "extended-eventsource", cannot: emptyLine}),
	inBrowsers(client{name: "sse.js", program: "sse.js", from: "sse.js"}),
	inBrowsers(client{name: "event-source-plus", program: "event-source-plus", from: "event-source-plus", cannot: lastLine}),
	inBrowsers(client{name: "htmx 2", program: "htmx2", from: "htmx-ext-sse"}),
	inBrowsers(client{name: "htmx 4", program: "htmx4", from: "htmx4"}),
	inBrowsers(client{name: "Datastar", program: "datastar", from: "@starfederation/datastar", signals: true}),
	[]client{
		{name: "launchdarkly/eventsource", in: inGo, program: "launchdarkly/eventsource", from: "github.com/launchdarkly/eventsource"},
		{name: "r3labs/sse", in: inGo, program: "r3labs/sse", from: "github.com/r3labs/sse/v2"},
		{name: "tmaxmax/go-sse", in: inGo, program: "tmaxmax/go-sse", from: "github.com/tmaxmax/go-sse"},
	},
)

// What a client loses of odd payloads in the raw format; none loses anything as JSON.
var (
	emptyLine = map[string]string{"raw": "an empty line at the beginning of a text is lost"}
	lastLine  = map[string]string{"raw": "of several lines only the last one is kept, without its blanks"}
)

func inBrowsers(c client) []client {
	inOne, inOther := c, c
	inOne.in, inOther.in = inChromium, inFirefox
	return []client{inOne, inOther}
}

// CLIENTS.md has the table and the recipe of the tests.
func TestTableIsDocumented(t *testing.T) {
	bridgetest.Document(t, "../../../../CLIENTS.md", "go test ./cmd/tailwater/e2e/clients -run TestTableIsDocumented -write", *write,
		func(old string) string {
			return bridgetest.Between(t, "recipe", recipe(t))(bridgetest.Between(t, "table", table(t))(old))
		})
}

// recipe is the part of a program that pages are told to copy.
func recipe(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(folder + "/browser/fetch.mjs")
	if err != nil {
		t.Fatal(err)
	}
	_, after, begins := strings.Cut(string(program), "// recipe:begin\n")
	code, _, ends := strings.Cut(after, "// recipe:end")
	if !begins || !ends {
		t.Fatal("browser/fetch.mjs has no recipe")
	}
	return "```js\n" + code + "```\n"
}

func table(t *testing.T) string {
	t.Helper()
	var text, notes strings.Builder
	text.WriteString("| client | version | in |")
	for _, f := range faults {
		fmt.Fprintf(&text, " %s |", f.title)
	}
	text.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(faults)) + "\n")
	for i, c := range clients {
		if i > 0 && c.name == clients[i-1].name {
			continue // the same in another browser
		}
		in := c.in
		if i+1 < len(clients) && clients[i+1].name == c.name {
			in += ", " + clients[i+1].in
		}
		fmt.Fprintf(&text, "| %s | %s | %s |", c.name, version(t, c.from), in)
		for _, f := range faults {
			cell := "yes"
			if f.asJSON && c.signals {
				cell = "–"
			}
			if why := c.cannot[f.name]; why != "" {
				cell = "no"
				fmt.Fprintf(&notes, "* %s, %s: %s.\n", c.name, f.title, why)
			}
			fmt.Fprintf(&text, " %s |", cell)
		}
		text.WriteString("\n")
	}
	return text.String() + "\n" + notes.String()
}

// own is the package of this repository.
const own = "tailwater-client"

// version reads the version of a client from where it is pinned, or of the own one from where it is published.
func version(t *testing.T, from string) string {
	t.Helper()
	if from == "" {
		return "the browser's"
	}
	text, err := os.ReadFile(folder + "/go/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(regexp.QuoteMeta(from) + ` v(\S+)`).FindSubmatch(text); found != nil {
		return string(found[1])
	}
	if text, err = os.ReadFile(folder + "/package.json"); err != nil {
		t.Fatal(err)
	}
	if from == own {
		if text, err = os.ReadFile("../../../../web/client/package.json"); err != nil {
			t.Fatal(err)
		}
	}
	var pinned struct {
		Version      string
		Dependencies map[string]string
	}
	if err := json.Unmarshal(text, &pinned); err != nil {
		t.Fatal(err)
	}
	if from == own {
		return pinned.Version
	}
	all := pinned.Dependencies[from]
	if all == "" {
		t.Fatalf("%s is pinned nowhere", from)
	}
	return all[strings.LastIndex(all, "@")+1:]
}
