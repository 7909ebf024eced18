package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/tailwater/tailwater/bridge/load"
)

// The page made from the model, and the comments around that text.
const (
	reachPage  = "REACH.md"
	reachBegin = "<!-- reach:begin -->\n"
	reachEnd   = "<!-- reach:end -->"
)

// orders are the numbers of browsers on the page.
var orders = []float64{1e3, 1e4, 1e5, 1e6, 1e7}

// reachText returns the part of the page that is made: what was measured, how well the model foretells it, and what it says of more browsers.
func reachText(compared, reach *measured) (string, error) {
	c, err := costsOf(compared, reach)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("## How many\n\n")
	fmt.Fprintf(&b, "A machine has %d cores like those here, %d GiB, and a network of %.0f Gbit/s. %.0f %% of each is used, and the rest is for peaks and for the work of machines that fail.\n", cores, memoryBytes>>30, networkBits/1e9, share*100)
	fmt.Fprintf(&b, "A bridge has at most %s connections. All browsers may come back within %d s. Messages have 128 bytes, are stored %d times, and each stream is read by bridges of its own.\n", number(mostOpen, 0), returnTime, replicas)
	fmt.Fprintf(&b, "Where there are several bridges, one of each stream is there to be lost. Up to %s browsers, one bridge with NATS inside is enough.\n", number(few, 0))
	b.WriteString("What runs out, if so many browsers come to what is enough for a tenth of them: what is short the most, in percent of what is to be used; once there is enough of it, the next; and if nothing is short, what is used the most.\n")
	for i := range audiences {
		b.WriteString("\n" + c.audienceTable(&audiences[i]))
	}
	b.WriteString("\n## What it is made of\n\n" + reach.machine.String() + "\n" + c.table())
	b.WriteString("\n## Held against two bridges\n\nEach figure was foretold from the costs above, which were measured with one bridge, and then measured with two. ")
	checks, err := c.checkTable(reach)
	return b.String() + checks, err
}

func (c *costs) audienceTable(a *audience) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**: %s.\n\n", a.name, a.text)
	b.WriteString("| browsers | messages/s | deliveries/s | bridges | NATS servers | streams | what runs out |\n|---|---|---|---|---|---|---|\n")
	for _, browsers := range orders {
		n := c.plan(a, browsers)
		servers := "inside"
		if n.servers > 0 {
			servers = fmt.Sprint(n.servers)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %s | %d | ", number(browsers, 0), number(n.messages, 0), number(n.deliveries, 0), n.bridges, servers, n.streams)
		for i, s := range c.shortages(a, browsers) {
			if i > 0 {
				b.WriteString("; then ")
			}
			percent := strings.TrimSuffix(number(s.used*100, 1), ".0")
			if s.used <= 1 {
				fmt.Fprintf(&b, "nothing: %s, %s %%", s.name, percent)
			} else {
				fmt.Fprintf(&b, "**%s**, %s %%", s.name, percent)
			}
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

func (c *costs) table() string {
	var b strings.Builder
	b.WriteString("| | | |\n|---|---|---|\n")
	for _, line := range []struct {
		title  string
		value  float64
		digits int
		unit   string
	}{
		{"a bridge receives a stored message that none of its clients reads", c.tap, 1, "µs"},
		{"more, if it is read: encoded, and delivered to the first reader", c.read, 1, "µs"},
		{"delivered to each further one", c.deliver, 1, "µs"},
		{"a client comes back to a bridge, and is given a message", c.back, 0, "µs"},
		{"NATS receives and stores a message", c.store, 1, "µs"},
		{"NATS passes it to a bridge", c.feed, 1, "µs"},
		{"NATS reads what a client that comes back has missed", c.page, 0, "µs"},
		{"memory of a bridge for a connection, if all read one subject", c.one / kilo, 2, "KB"},
		{"the same, if each reads its own", c.each / kilo, 2, "KB"},
		{"memory of the kernel for a connection", c.kernel / kilo, 2, "KB"},
		{"a delivery on the network", c.wire, 0, "bytes"},
	} {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", line.title, number(line.value, line.digits), line.unit)
	}
	return b.String()
}

// check is a figure that the model foretells.
type check struct {
	title    string
	fleet    string
	foretold float64
	figure   func(*load.Report) float64
	unit     string
	digits   int
}

func (c *costs) checks() (all []check) {
	add := func(fleet, title string, foretold float64, figure func(*load.Report) float64, unit string, digits int) {
		all = append(all, check{title, fleet, foretold, figure, unit, digits})
	}
	nats := func(fleet, title string, server int, foretold float64, unit string, digits int) {
		add(fleet, title, foretold, natsCost(server), unit, digits)
	}
	bridge := func(fleet string, foretold float64, unit string, digits int) {
		add(fleet, "each bridge", foretold, bridgeCost(fleetOf(fleet)), unit, digits)
	}
	const message, connection = "µs a message", "µs a connection"
	bridge(twoPassing, c.tap+c.read/200, message, 1)
	nats(twoPassing, "NATS", 0, c.store+2*c.feed, message, 1)
	bridge(twoStreams, c.tap/2+c.read/200, message, 1)
	nats(twoStreams, "NATS", 0, c.store+c.feed, message, 1)
	bridge(twoLeaf, c.tap+c.read/200, message, 1)
	nats(twoLeaf, "NATS at the hub", 0, c.store+c.feed, message, 1)
	nats(twoLeaf, "NATS at the leaf node", 1, c.store+2*c.feed, message, 1)
	bridge(twoOwn, c.tap+c.read/2, message, 1)
	nats(twoOwn, "NATS", 0, c.store+2*c.feed, message, 1)
	bridge(twoEverybody, c.deliver*1000/2, message, 0)
	bridge(twoReturning, c.back/2, connection, 0)
	nats(twoReturning, "NATS", 0, c.page, connection, 0)
	add(twoArriving, "memory of the bridges", c.opened/kilo, func(r *load.Report) float64 { return memoryCost(fleetOf(twoArriving))(r) / kilo }, "KB a connection", 2)
	return all
}

func (c *costs) checkTable(reach *measured) (string, error) {
	var b strings.Builder
	b.WriteString("| load | | foretold | measured | | measured, of foretold |\n|---|---|---|---|---|---|\n")
	least, most := math.Inf(1), 0.
	for _, k := range c.checks() {
		values := reach.figures(tailwater, of(k.fleet, k.figure))
		if len(values) == 0 {
			return "", fmt.Errorf("the results lack %s", k.fleet)
		}
		percent := median(values) / k.foretold * 100
		least, most = min(least, percent), max(most, percent)
		fmt.Fprintf(&b, "| %s | %s | %s %s | %s | %s | %.0f %% |\n", k.fleet, k.title, number(k.foretold, k.digits), k.unit,
			number(median(values), k.digits), spread(values, k.digits), percent)
	}
	return fmt.Sprintf("What was measured is %.0f to %.0f %% of what was foretold.\n\n", least, most) + b.String(), nil
}

// reachDocument returns the page of a repository, made from its results.
func reachDocument(root string, compared *measured) (string, error) {
	reach, err := readResults(filepath.Join(root, source, reachResults))
	if err != nil {
		return "", err
	}
	made, err := reachText(compared, reach)
	if err != nil {
		return "", err
	}
	return replaced(filepath.Join(root, reachPage), reachBegin, reachEnd, made)
}
