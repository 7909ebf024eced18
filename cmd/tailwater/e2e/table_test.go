package e2e

// client is one of others, and how it is used.
type client struct {
	name    string            // as its users know it
	in      string            // where it runs
	program string            // what that calls it
	from    string            // the npm package or Go module; empty for what the browser brings
	cannot  map[string]string // faults it does not live with, and what happens
	signals bool              // it reads Datastar's events alone
}

var clients = []client{
	{name: "EventSource", in: inChromium, program: "eventsource"},
	{name: "EventSource", in: inFirefox, program: "eventsource"},
	{name: "eventsource 2", in: inNode, program: "eventsource2", from: "eventsource2"},
	{name: "eventsource 3", in: inNode, program: "eventsource3", from: "eventsource3"},
	{name: "eventsource 4", in: inNode, program: "eventsource4", from: "eventsource4"},
	{name: "eventsource 5", in: inNode, program: "eventsource5", from: "eventsource5"},
	{name: "undici", in: inNode, program: "undici", from: "undici"},
	{name: "launchdarkly-eventsource", in: inNode, program: "launchdarkly-eventsource", from: "launchdarkly-eventsource"},
	{name: "fetch-event-source", in: inChromium, program: "fetch-event-source", from: "@microsoft/fetch-event-source", cannot: emptyLine},
	{name: "fetch-event-source", in: inFirefox, program: "fetch-event-source", from: "@microsoft/fetch-event-source", cannot: emptyLine},
	{name: "event-source-polyfill", in: inChromium, program: "event-source-polyfill", from: "event-source-polyfill"},
	{name: "event-source-polyfill", in: inFirefox, program: "event-source-polyfill", from: "event-source-polyfill"},
	{name: "extended-eventsource", in: inChromium, program: "extended-eventsource", from: "extended-eventsource", cannot: emptyLine},
	{name: "extended-eventsource", in: inFirefox, program: "extended-eventsource", from: "extended-eventsource", cannot: emptyLine},
	{name: "sse.js", in: inChromium, program: "sse.js", from: "sse.js"},
	{name: "sse.js", in: inFirefox, program: "sse.js", from: "sse.js"},
	{name: "event-source-plus", in: inChromium, program: "event-source-plus", from: "event-source-plus", cannot: lastLine},
	{name: "event-source-plus", in: inFirefox, program: "event-source-plus", from: "event-source-plus", cannot: lastLine},
	{name: "htmx 2", in: inChromium, program: "htmx2", from: "htmx-ext-sse"},
	{name: "htmx 2", in: inFirefox, program: "htmx2", from: "htmx-ext-sse"},
	{name: "htmx 4", in: inChromium, program: "htmx4", from: "htmx4"},
	{name: "htmx 4", in: inFirefox, program: "htmx4", from: "htmx4"},
	{name: "Datastar", in: inChromium, program: "datastar", from: "@starfederation/datastar", signals: true},
	{name: "Datastar", in: inFirefox, program: "datastar", from: "@starfederation/datastar", signals: true},
	{name: "launchdarkly/eventsource", in: inGo, program: "launchdarkly/eventsource", from: "github.com/launchdarkly/eventsource"},
	{name: "r3labs/sse", in: inGo, program: "r3labs/sse", from: "github.com/r3labs/sse/v2"},
	{name: "tmaxmax/go-sse", in: inGo, program: "tmaxmax/go-sse", from: "github.com/tmaxmax/go-sse"},
}

var (
	emptyLine = map[string]string{"raw": "an empty line at the beginning of a text is lost"}
	lastLine  = map[string]string{"raw": "of several lines only the last is kept, without its blanks"}
)
