package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/load"
)

// fleet is a load on bridges and a nats-server, each a process of its own: what one of them costs is not hidden in the others, as it
// is where the server is embedded. REACH.md is made of what these loads cost.
type fleet struct {
	scenario
	bridges int
	streams int  // among which the subjects are divided: subject n is in stream n mod streams
	unread  bool // the streams hold only subjects that nobody reads, so no bridge reads them
	leaf    bool // the bridges are at a leaf node, which has a copy of the stream; messages are published at the hub
	missed  bool // the clients come back, and each has missed the newest message of its subject
}

// The loads. Where few read, most messages are of no interest to a bridge, and only pass through it.
const (
	passing      = "1 bridge, a reader of one of 200 subjects"
	passingBy    = "1 bridge, none of the 200 subjects read"
	own          = "1 bridge, 5,000 subjects with a reader each"
	everybody    = "1 bridge, 1,000 readers of one subject"
	arriving     = "1 bridge, 10,000 connections with a subject each"
	returning    = "1 bridge, 4,000 connections come back"
	twoPassing   = "2 bridges, a reader each of one of 200 subjects"
	twoStreams   = "2 bridges, a reader each, a stream for each bridge"
	twoLeaf      = "2 bridges, a reader each, at a leaf node with a copy"
	twoOwn       = "2 bridges, 5,000 subjects with a reader each"
	twoEverybody = "2 bridges, 1,000 readers of one subject"
	twoArriving  = "2 bridges, 10,000 connections with a subject each"
	twoReturning = "2 bridges, 4,000 connections come back"
)

// manyPassing is the rate of messages at which what passes is measured.
const manyPassing = 20_000

var (
	steady  = []string{"--rate=" + strconv.Itoa(manyPassing)}
	ticking = []string{"--rate=20"}
)

var fleets = []fleet{
	{bridges: 1, scenario: scenario{name: arriving, connections: 10_000, subjects: 10_000}, streams: 1},
	{bridges: 1, scenario: scenario{name: returning, connections: 4000, subjects: 4000}, streams: 1, missed: true},
	{bridges: 1, scenario: scenario{name: passing, connections: 1, subjects: 200, pace: steady}, streams: 1},
	{bridges: 1, scenario: scenario{name: passingBy, connections: 1, subjects: 200, pace: steady}, streams: 1, unread: true},
	{bridges: 1, scenario: scenario{name: own, connections: 5000, subjects: 5000, pace: steady}, streams: 1},
	{bridges: 1, scenario: scenario{name: everybody, connections: 1000, pace: ticking}, streams: 1},
	{bridges: 2, scenario: scenario{name: twoPassing, connections: 2, subjects: 200, pace: steady}, streams: 1},
	{bridges: 2, scenario: scenario{name: twoStreams, connections: 2, subjects: 200, pace: steady}, streams: 2},
	{bridges: 2, scenario: scenario{name: twoLeaf, connections: 2, subjects: 200, pace: steady}, streams: 1, leaf: true},
	{bridges: 2, scenario: scenario{name: twoOwn, connections: 5000, subjects: 5000, pace: steady}, streams: 1},
	{bridges: 2, scenario: scenario{name: twoEverybody, connections: 1000, pace: ticking}, streams: 1},
	{bridges: 2, scenario: scenario{name: twoArriving, connections: 10_000, subjects: 10_000}, streams: 1},
	{bridges: 2, scenario: scenario{name: twoReturning, connections: 4000, subjects: 4000}, streams: 1, missed: true},
}

// servers returns how many nats-servers a fleet has. They come before its bridges in a report.
func (f *fleet) servers() int {
	if f.leaf {
		return 2
	}
	return 1
}

// measureFleets measures every fleet, in rounds.
func (c *comparison) measureFleets(ctx context.Context) error {
	c.begun = time.Now()
	for round := range c.rounds {
		for i := range fleets {
			if c.only != "" && c.only != fleets[i].name {
				continue
			}
			if err := c.measureFleet(ctx, &fleets[i], round+1); err != nil {
				return fmt.Errorf("%s: %w", fleets[i].name, err)
			}
		}
	}
	return nil
}

// afterArrival is a pause that is enough for what connections cost after they were answered.
const afterArrival = 3 * time.Second

// measureFleet starts a fleet, loads it, stops it, and stores the result.
func (c *comparison) measureFleet(ctx context.Context, f *fleet, round int) (err error) {
	s := &started{tools: c.tools, fleet: f}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.start(ctx, c.divided(f.subjects)); err != nil {
		return err
	}
	args := f.args(c.options)
	for _, bridge := range s.bridges {
		args = append(args, bridge.reads[:2]...)
	}
	args = append(args, "--pid", strings.Join(s.pids(), ","))
	if len(f.pace) == 0 {
		args = append(args, "--idle", "--settle", c.settle.String())
	} else {
		args = append(args, s.nats[0].publish...)
	}
	if s.since != "" {
		args = append(args, "--header", "Last-Event-ID: "+s.since)
	}
	slab := watchKernel(ctx)
	report, err := c.bench(ctx, args)
	kernel := slab()
	if err != nil {
		return err
	}
	if d, closed := report.Deliveries, report.Connections.Closed; closed+d.Lost+d.Gaps+d.Resets > 0 {
		return fmt.Errorf("%d connections closed, %d messages lost, %d gaps, %d resets: what that cost is no measure of anything", closed, d.Lost, d.Gaps, d.Resets)
	}
	c.tellFleet(f, round, report)
	return c.log.add(sample{Scenario: f.name, Server: tailwater, Round: round, Report: report, Kernel: kernel})
}

// started is a fleet that runs.
type started struct {
	*tools
	fleet   *fleet
	nats    []*running // the hub first
	bridges []*running
	since   string // where the clients of a fleet that comes back were
}

func (s *started) pids() (pids []string) {
	for _, process := range slices.Concat(s.nats, s.bridges) {
		pids = append(pids, strconv.Itoa(process.process.Process.Pid))
	}
	return pids
}

func (s *started) stop() (err error) {
	for _, process := range slices.Backward(slices.Concat(s.nats, s.bridges)) {
		err = errors.Join(err, process.stop())
	}
	return err
}

func (s *started) start(ctx context.Context, subjects int) error {
	leaves, err := freePort()
	if err != nil {
		return err
	}
	leafNodes := [][2]string{{"hub", ""}}
	if s.fleet.leaf {
		leafNodes = [][2]string{
			{"hub", fmt.Sprintf("listen: \"127.0.0.1:%d\"", leaves)},
			{"edge", fmt.Sprintf("remotes: [ { url: \"nats-leaf://127.0.0.1:%d\", deny_imports: [\"bench.>\"], deny_exports: [\"bench.>\"] } ]", leaves)},
		}
	}
	for _, of := range leafNodes {
		server, err := s.startNATS(ctx, of[0], of[1])
		if err != nil {
			return err
		}
		s.nats = append(s.nats, server)
	}
	for i, server := range s.nats {
		if err := s.createStreams(ctx, server, subjects, i > 0); err != nil {
			return err
		}
	}
	for range s.fleet.bridges {
		bridge, err := s.startBridge(ctx, "TAILWATER_NATS_URL="+s.nats[len(s.nats)-1].publish[1])
		if err != nil {
			return err
		}
		s.bridges = append(s.bridges, bridge)
	}
	if !s.fleet.missed {
		return nil
	}
	s.since, err = s.fill(ctx, subjects)
	return err
}

// startNATS starts the nats-server of go.mod in a JetStream domain.
func (t *tools) startNATS(ctx context.Context, domain, leafNodes string) (*running, error) {
	folder, err := os.MkdirTemp(t.folder, "nats-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "nats.conf")
	config := fmt.Sprintf("server_name: %s\nlisten: \"127.0.0.1:%d\"\njetstream { store_dir: %q, domain: %s }\nleafnodes { %s }\n", domain, port, folder, domain, leafNodes)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, t.nats, "-c", path)
	gentle(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	r := &running{process: cmd, publish: []string{"--nats", "nats://" + address}}
	return r.await(ctx, "nats-server", func() error {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// streamConfigs returns the fleet's streams for the subjects of bench.
func (f *fleet) streamConfigs(subjects int) (all []jetstream.StreamConfig) {
	for stream := range f.streams {
		config := jetstream.StreamConfig{Name: fmt.Sprint("BENCH", stream), AllowDirect: true}
		for n := stream; n < subjects; n += f.streams {
			if !f.unread || n >= f.connections {
				config.Subjects = append(config.Subjects, fmt.Sprint("bench.", n))
			}
		}
		if f.streams == 1 && !f.unread {
			config.Subjects = []string{everything}
		}
		if len(config.Subjects) > 0 {
			all = append(all, config)
		}
	}
	return all
}

// streamsOf connects to a server's JetStream. The caller closes the connection.
func streamsOf(server *running) (jetstream.JetStream, error) {
	conn, err := nats.Connect(server.publish[1])
	if err != nil {
		return nil, err
	}
	return jetstream.New(conn)
}

// createStreams creates the fleet's streams, or a copy of those of the hub.
func (s *started) createStreams(ctx context.Context, server *running, subjects int, isCopy bool) error {
	js, err := streamsOf(server)
	if err != nil {
		return err
	}
	defer js.Conn().Close()
	for _, config := range s.fleet.streamConfigs(subjects) {
		if isCopy {
			config.Sources = []*jetstream.StreamSource{{Name: config.Name, External: &jetstream.ExternalStream{APIPrefix: "$JS.hub.API"}}}
		}
		if _, err := js.CreateStream(ctx, config); err != nil {
			return fmt.Errorf("create a stream: %w", err)
		}
	}
	return nil
}

// fill stores a message on each subject, and returns the event id of a position before them.
func (s *started) fill(ctx context.Context, subjects int) (since string, err error) {
	js, err := streamsOf(s.nats[0])
	if err != nil {
		return "", err
	}
	defer js.Conn().Close()
	if _, err := js.Publish(ctx, "bench.before", nil); err != nil {
		return "", err
	}
	url := strings.Replace(s.bridges[0].reads[1], "{subject}", "bench.before", 1)
	answer, err := http.Head(url)
	if err != nil {
		return "", err
	}
	defer http.DefaultClient.CloseIdleConnections()
	answer.Body.Close()
	if since = answer.Header.Get("Tailwater-Last-Id"); since == "" {
		return "", fmt.Errorf("HEAD %s: %s, without an event id", url, answer.Status)
	}
	payload := make([]byte, 128)
	for n := range subjects {
		if _, err := js.PublishAsync(fmt.Sprint("bench.", n), payload); err != nil {
			return "", err
		}
	}
	select {
	case <-js.PublishAsyncComplete():
		return since, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// watchKernel begins to observe the kernel's own memory. The function that it returns ends that, and returns by how many bytes it grew at most:
// for connections that are both clients' and servers', because all are on this machine.
func watchKernel(ctx context.Context) (grown func() int64) {
	ctx, cancel := context.WithCancel(ctx)
	before, most := slab(), make(chan int64, 1)
	go func() {
		highest := before
		for sleep(ctx, kernelEvery) {
			highest = max(highest, slab())
		}
		most <- highest
	}()
	return func() int64 {
		cancel()
		return <-most - before
	}
}

const kernelEvery = 100 * time.Millisecond

// slab returns how many bytes the kernel's objects use: sockets, files, and all else that has a size of its own.
func slab() (size int64) {
	_, _ = fmt.Sscanf(entry("/proc/meminfo", "Slab"), "%d kB", &size) // 0 on other systems
	return size << 10
}

// tellFleet prints the result in one line.
func (c *comparison) tellFleet(f *fleet, round int, report *load.Report) {
	fmt.Fprintf(c.progress, "%4.0f s  round %d of %d  %-56s", time.Since(c.begun).Seconds(), round, c.rounds, f.name)
	for i, process := range report.Server.Processes {
		kind := "bridge"
		if i < f.servers() {
			kind = "NATS"
		}
		if len(f.pace) == 0 {
			fmt.Fprintf(c.progress, "  %s %.0f µs a connection", kind, process.OpenSeconds*1e6/float64(report.Connections.Opened))
			continue
		}
		fmt.Fprintf(c.progress, "  %s %.1f µs a message", kind, process.CPUSeconds*1e6/float64(report.Messages.Published))
	}
	fmt.Fprintln(c.progress)
}
