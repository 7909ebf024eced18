package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/tailwater/tailwater/bridge/load"
)

// costs are what the model is made of: medians of what was measured. Times are µs of one core, sizes are bytes.
type costs struct {
	tap     float64 // a bridge receives a stored message that none of its clients reads
	read    float64 // beside that, for a message that is read: encode it, and deliver it to the first reader
	deliver float64 // deliver it to each further one
	back    float64 // a client comes back to a bridge, and is given one message
	store   float64 // NATS receives and stores a message
	feed    float64 // NATS passes a stored message to one bridge
	page    float64 // NATS reads what a client that comes back has missed

	one, each float64 // memory of a bridge for a connection: if all read one subject, and if each reads its own
	opened    float64 // the same as each, just after all were opened
	kernel    float64 // memory of the kernel for a connection
	wire      float64 // a delivery on the network
}

// wireHead is what Ethernet, IP and TCP add to a packet, in bytes: 38, 20 and 32.
const wireHead = 90

// Figures of a fleet's processes: µs of a message, or of a connection that was opened.
func natsCost(server int) func(*load.Report) float64 {
	return func(r *load.Report) float64 { return eachCost(r, server, server+1) }
}

// bridgeCost is that of a bridge, on average.
func bridgeCost(f *fleet) func(*load.Report) float64 {
	return func(r *load.Report) float64 {
		return eachCost(r, f.servers(), f.servers()+f.bridges) / float64(f.bridges)
	}
}

// eachCost adds up the processes from first to before end.
func eachCost(r *load.Report, first, end int) (cost float64) {
	for _, p := range r.Server.Processes[first:end] {
		if r.Messages.Published > 0 {
			cost += p.CPUSeconds * 1e6 / float64(r.Messages.Published)
		} else {
			cost += p.OpenSeconds * 1e6 / float64(r.Connections.Opened)
		}
	}
	return cost
}

// memoryCost is the memory of all bridges for a connection.
func memoryCost(f *fleet) func(*load.Report) float64 {
	return func(r *load.Report) (cost float64) {
		for _, p := range r.Server.Processes[f.servers():] {
			cost += (float64(p.RSSOpen) - float64(p.RSSBefore)) / float64(r.Connections.Opened)
		}
		return cost
	}
}

// kernelCost is the kernel's memory for one end of a connection: the other end is the client's.
func kernelCost(o outcome) (float64, bool) {
	sample := o[arriving]
	if sample == nil || sample.Kernel <= 0 {
		return 0, false
	}
	return float64(sample.Kernel) / float64(sample.Report.Connections.Opened) / 2, true
}

func fleetOf(name string) *fleet {
	for i := range fleets {
		if fleets[i].name == name {
			return &fleets[i]
		}
	}
	panic("there is no fleet " + name)
}

// costsOf returns the costs by what both comparisons have measured.
func costsOf(compared, reach *measured) (c costs, err error) {
	value := func(m *measured, f figure, what string) float64 {
		values := m.figures(tailwater, f)
		if len(values) == 0 {
			err = fmt.Errorf("the results lack %s", what)
			return 0
		}
		return median(values)
	}
	bridge := func(name string) float64 { return value(reach, of(name, bridgeCost(fleetOf(name))), name) }
	server := func(name string) float64 { return value(reach, of(name, natsCost(0)), name) }

	// Differences are those of each round, because figures drift from round to round.
	more := func(special, plain string, cost func(*load.Report) float64) float64 {
		return value(reach, between(special, plain, func(with, without *load.Report) float64 { return cost(with) - cost(without) }), special)
	}
	c.tap = more(passing, passingBy, bridgeCost(fleetOf(passing)))
	c.read = more(own, passing, bridgeCost(fleetOf(own)))
	c.deliver = value(reach, of(everybody, func(r *load.Report) float64 {
		return bridgeCost(fleetOf(everybody))(r) / float64(r.Connections.Opened)
	}), everybody)
	c.back = bridge(returning)
	c.store = server(passingBy)
	c.feed = more(passing, passingBy, natsCost(0))
	c.page = server(returning)
	c.one = value(compared, of(idleOne, perConnection), idleOne) * kilo
	c.each = value(compared, of(idleEach, perConnection), idleEach) * kilo
	c.opened = value(reach, of(arriving, memoryCost(fleetOf(arriving))), arriving)
	c.kernel = value(reach, kernelCost, "the kernel's memory")
	c.wire = wireHead + value(reach, of(everybody, func(r *load.Report) float64 {
		return float64(r.Deliveries.Bytes) / float64(r.Deliveries.Received)
	}), everybody)
	return c, err
}

// audience is how many browsers read what.
type audience struct {
	name     string
	text     string
	messages func(browsers float64) float64 // a second, in all
	readers  func(browsers float64) float64 // of each message
	subjects func(browsers float64) float64
}

func constant(value float64) func(float64) float64 { return func(float64) float64 { return value } }
func perBrowser(share float64) func(float64) float64 {
	return func(n float64) float64 { return n * share }
}

var audiences = []audience{
	{
		"Ticker", "one subject that everybody reads, 10 messages a second",
		constant(10), perBrowser(1), constant(1),
	},
	{
		"Chat", "rooms of 10 browsers, in which each says something once a minute",
		perBrowser(1. / 60), constant(10), perBrowser(1. / 10),
	},
	{
		"Notifications", "a subject for each browser, with a message every ten minutes",
		perBrowser(1. / 600), constant(1), perBrowser(1),
	},
}

// What the model takes for granted: of a machine, and of how much of it is to be used.
const (
	cores       = 8
	memoryBytes = 16 << 30
	networkBits = 10e9
	share       = 0.5     // of each that is used; the rest is for peaks, and for the work of machines that fail
	returnTime  = 30      // seconds in which all browsers may come back, by the other half of the processors
	mostOpen    = 100_000 // connections of one bridge, so that a bridge that fails takes few along
	replicas    = 3       // of a stream
	fewServers  = 3       // NATS servers, where there are several bridges
	few         = 50_000  // up to so many browsers, one bridge with NATS inside is enough
)

// need is how much an audience asks for, and what answers it.
type need struct {
	browsers             float64
	messages, deliveries float64 // a second
	readers, subjects    float64 // of a message, and in all

	bridges int
	servers int // of NATS; 0 for one inside the bridge
	streams int // among which the subjects are divided, as the bridges are among the streams
}

func (a *audience) need(browsers float64) need {
	n := need{browsers: browsers, messages: a.messages(browsers), readers: a.readers(browsers), subjects: a.subjects(browsers)}
	n.deliveries = n.messages * n.readers
	return n
}

// group returns how many bridges read the same stream.
func (n *need) group() float64 { return float64(n.bridges) / float64(n.streams) }

// touched returns how many bridges have a reader of a message.
func (n *need) touched() float64 { return n.group() * (1 - math.Pow(1-1/n.group(), n.readers)) }

// feeds returns how many subjects all bridges read, each counted on each bridge.
func (n *need) feeds() float64 { return min(n.browsers, n.subjects*n.touched()) }

// resource is what may run out. Its use is 1 if all is used that is to be used.
type resource struct {
	name string
	use  func(c *costs, n *need) float64
}

const usedCores = cores * share * 1e6 // µs a second

// What is relieved by more bridges, by more streams, and by more NATS servers.
var (
	ofBridges = []resource{
		{"processors of the bridges", func(c *costs, n *need) float64 {
			encoded := n.messages * n.touched()
			reading := encoded*c.read + (n.deliveries-encoded)*c.deliver
			passing := n.messages / float64(n.streams) * c.tap
			return (passing + reading/float64(n.bridges)) / usedCores
		}},
		{"memory of the bridges", func(c *costs, n *need) float64 {
			bytes := n.browsers*(c.one+c.kernel) + n.feeds()*(c.each-c.one)
			return bytes / float64(n.bridges) / (memoryBytes * share)
		}},
		{"network of the bridges", func(c *costs, n *need) float64 {
			return n.deliveries * c.wire * 8 / float64(n.bridges) / (networkBits * share)
		}},
		{"processors of the bridges, if all come back", func(c *costs, n *need) float64 {
			return n.browsers * c.back / float64(n.bridges) / (usedCores * returnTime)
		}},
		{"connections of a bridge", func(_ *costs, n *need) float64 {
			return n.browsers / float64(n.bridges) / mostOpen
		}},
	}
	ofStreams = []resource{
		{"reading of a stream by a bridge", func(c *costs, n *need) float64 {
			return n.messages / float64(n.streams) * c.tap / (1e6 * share)
		}},
		{"the leader of a stream", func(c *costs, n *need) float64 {
			return n.messages / float64(n.streams) * (c.store + n.group()*c.feed) / usedCores
		}},
	}
	ofServers = []resource{
		{"processors of the NATS servers", func(c *costs, n *need) float64 {
			return n.messages * (replicas*c.store + n.group()*c.feed) / float64(max(1, n.servers)) / usedCores
		}},
		{"processors of the NATS servers, if all come back", func(c *costs, n *need) float64 {
			return n.feeds() * c.page / float64(max(1, n.servers)) / (usedCores * returnTime)
		}},
	}
)

// most returns what is used the most.
func (c *costs) most(n *need, resources ...resource) (name string, used float64) {
	for _, r := range resources {
		if of := r.use(c, n); of > used {
			name, used = r.name, of
		}
	}
	return name, used
}

// plan returns the least that is enough for an audience.
func (c *costs) plan(a *audience, browsers float64) need {
	n := a.need(browsers)
	n.streams = 1
	for ; ; n.streams++ {
		n.bridges = n.streams
		for c.exceeds(&n, ofBridges) && !c.exceeds(&n, ofStreams[:1]) { // bridges do not help a stream
			n.bridges += n.streams
		}
		if browsers > few {
			n.bridges += n.streams // one of each stream may be lost
		}
		if !c.exceeds(&n, ofStreams) {
			break
		}
	}
	if browsers > few {
		for n.servers = fewServers; c.exceeds(&n, ofServers); {
			n.servers++
		}
	}
	return n
}

func (c *costs) exceeds(n *need, resources []resource) bool {
	_, used := c.most(n, resources...)
	return used > 1
}

// shortage is a resource of which more is used than is to be used, or most of all.
type shortage struct {
	name string
	used float64
}

// shortages returns what runs out if so many browsers come to what is enough for a tenth of them: what runs out the most, and once there is
// enough of that, the next. If there is enough of everything, it returns what is used the most.
func (c *costs) shortages(a *audience, browsers float64) (all []shortage) {
	before, n := c.plan(a, browsers/10), a.need(browsers)
	n.bridges, n.servers, n.streams = before.bridges, before.servers, before.streams
	if browsers > few {
		n.servers = max(n.servers, fewServers)
	}
	for {
		name, used := c.most(&n, slices.Concat(ofBridges, ofStreams, ofServers)...)
		if used <= 1 && all != nil {
			return all
		}
		all = append(all, shortage{name, used})
		if used <= 1 {
			return all
		}
		n.relieve(c, name)
	}
}

// relieve adds to what a resource is part of, until there is enough of it.
func (n *need) relieve(c *costs, name string) {
	of := func(r resource) bool { return r.name == name }
	for _, group := range []struct {
		resources []resource
		add       func()
	}{
		{ofBridges, func() { n.bridges++ }},
		{ofStreams, func() { n.streams, n.bridges = n.streams+1, max(n.streams+1, n.bridges) }},
		{ofServers, func() { n.servers++ }},
	} {
		i := slices.IndexFunc(group.resources, of)
		for i >= 0 && group.resources[i].use(c, n) > 1 {
			group.add()
		}
	}
}
