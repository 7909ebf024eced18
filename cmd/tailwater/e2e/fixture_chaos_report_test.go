package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// `make chaos` brings about each fault of this list, as often as the long form says, and writes into RELIABILITY.md what it measured.
var (
	chaosForm = flag.Bool("chaos", false, "bring about every fault of RELIABILITY.md, and nothing else, and write its table")
	chaosOnly = flag.String("chaos-only", "", "with -chaos: only the tests of this pattern, and print the table instead of writing it")
)

const reliability = "../../../RELIABILITY.md"

// faults are the rows of the report: what happens, and the test that makes it happen.
var faults = []struct{ what, test string }{
	{"a bridge is killed, with NATS inside", "TestChaosBridgeIsKilledEmbedded"},
	{"a bridge is killed in front of NATS", "TestChaosBridgeIsKilledExternal"},
	{"two bridges are stopped and started in turn", "TestChaosBridgesAreRolled"},
	{"NATS is killed", "TestChaosServerIsKilled"},
	{"the leader of a cluster's stream is killed", "TestChaosLeaderIsKilled"},
	{"each server of a cluster leaves as a lame duck, and is started again", "TestChaosClusterIsRolled"},
	{"the leader stands still for 15 s", "TestChaosLeaderIsPaused"},
	{"the link to NATS is cut for 1 s", "TestChaosLinkToNATS/cut_for_1_s"},
	{"the link to NATS is cut for 5 s", "TestChaosLinkToNATS/cut_for_5_s"},
	{"the link to NATS is cut for 30 s", "TestChaosLinkToNATS/cut_for_30_s"},
	{"for 10 s nothing arrives from NATS", "TestChaosLinkToNATS/answers_are_cut"},
	{"for 10 s nothing reaches NATS", "TestChaosLinkToNATS/requests_are_cut"},
	{"the link to NATS carries 16 KB/s for 10 s", "TestChaosLinkToNATS/slow"},
	{"a round trip to NATS takes 300 ms, and its connections break", "TestChaosDelayedLink"},
	{"the connections to NATS break", "TestChaosLinkToNATS/broken"},
	{"the link to browsers is cut for 1 s", "TestChaosLinkToBrowsers/cut_for_1_s"},
	{"the link to browsers is cut for 5 s", "TestChaosLinkToBrowsers/cut_for_5_s"},
	{"the link to browsers is cut for 30 s", "TestChaosLinkToBrowsers/cut_for_30_s"},
	{"for 10 s nothing reaches browsers", "TestChaosLinkToBrowsers/answers_are_cut"},
	{"for 10 s nothing arrives from browsers", "TestChaosLinkToBrowsers/requests_are_cut"},
	{"the link to browsers carries 16 KB/s for 10 s", "TestChaosLinkToBrowsers/slow"},
	{"the connections of browsers break", "TestChaosLinkToBrowsers/broken"},
	{"20 clients lose their network, and nothing ends their connections", "TestChaosHalfOpenClients"},
	{"50 clients stop reading", "TestChaosStalledClients"},
	{"500 clients are cut at once, and come back at once", "TestChaosHerd"},
	{"the disk is full for 3 s", "TestChaosFullDisk"},
	{"the process may open no file and no socket for 3 s", "TestChaosDescriptors"},
	{"a container of 128 MiB, messages of 16 KB, 10 more readers that want all of them", "TestChaosMemoryLimit"},
	{"a file of the stream loses half of it while the bridge is stopped", "TestChaosDamagedFolder"},
	{"the clock of the bridge is set", "TestChaosClock/of_the_bridge"},
	{"the clock of NATS is set", "TestChaosClock/of_NATS"},
	{"the clock of a bridge with NATS inside is set", "TestChaosClock/of_a_bridge_with_NATS_inside"},
	{"the stream is edited", "TestChaosStreamIsEdited"},
	{"the stream is missing for 4 s, and made again", "TestChaosStreamIsDeleted"},
	{"the stream is exchanged for a new one of its name", "TestChaosStreamIsRecreated"},
	{"the stream is set back to an earlier copy", "TestChaosStreamIsRolledBack"},
	{"the bridge may not read the stream for 5 s", "TestChaosPermissionsAreChanged"},
	{"NATS has another certificate, and the bridge its authority 3 s later", "TestChaosCertificateIsExchanged"},
}

// runOnlyFaults makes this run one of the faults in their long form.
func runOnlyFaults() {
	*soak = true
	pattern := *chaosOnly
	if pattern == "" {
		var tests []string
		for _, fault := range faults {
			name, _, _ := strings.Cut(fault.test, "/") // a pattern with subtests would be one for each level
			tests = append(tests, name)
		}
		pattern = "^(" + strings.Join(tests, "|") + ")$"
	}
	if err := flag.Set("test.run", pattern); err != nil {
		panic(err)
	}
}

// strikes is how often a test that only `make chaos` runs brings about its fault. In the short form, which CI runs, it does so once.
func strikes(all int) int {
	if testing.Short() {
		return 1
	}
	return all
}

// onlyChaos skips a test that only `make chaos` runs in its long form.
func onlyChaos(t *testing.T) {
	t.Helper()
	if !*chaosForm {
		t.Skip("make chaos runs it")
	}
}

// faultTally is what a chaos test notes for the report.
type faultTally struct {
	round        atomic.Int64 // grows with each fault that is over; messages contain it
	acknowledged []*atomic.Int64
	padding      int // bytes that make each message longer
	recovery     time.Duration
}

// inRound stands before the round in the text of a message.
const inRound = " in round "

// heard notes a message. Only the client's own goroutine calls it.
func (c *chaosClient) heard(event bridgetest.Event) {
	now := time.Now()
	if !c.lastMessage.IsZero() {
		c.silence = max(c.silence, now.Sub(c.lastMessage))
	}
	c.lastMessage = now
	if _, rest, found := strings.Cut(event.Data, inRound); found {
		end := 0
		for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
			end++
		}
		if round, err := strconv.ParseInt(rest[:end], 10, 64); err == nil {
			c.round.Store(max(c.round.Load(), round))
		}
	}
}

// strike brings a fault about after some messages, and waits until all is well behind it: a message of each publisher, begun when fault has
// returned, was acknowledged, and each client that reads a published subject has received such a message.
func (c *chaos) strike(fault func()) {
	c.t.Helper()
	c.awaitMore(200)
	fault()
	over := time.Now()
	round := c.round.Add(1)
	c.await("all is well again", func() bool {
		c.mu.Lock()
		isBehind := slices.ContainsFunc(c.acknowledged, func(a *atomic.Int64) bool { return a.Load() < round })
		c.mu.Unlock()
		return !isBehind && !slices.ContainsFunc(c.clients, func(client *chaosClient) bool {
			return client.round.Load() < round && c.endsOf(client.Log.Subjects[0]) > 0
		})
	})
	c.recovery = max(c.recovery, time.Since(over))
}

// pass lets so much time pass: it is how long a fault lasts.
func (c *chaos) pass(d time.Duration) {
	ctx, cancel := context.WithTimeout(c.ctx, d)
	defer cancel()
	<-ctx.Done()
}

// outcome is a row of the report.
type outcome struct {
	times                              int64
	published, acknowledged, delivered int
	readers, lost, twice               int
	gaps, resets                       int64
	silence, recovery                  time.Duration
}

var outcomes = struct {
	sync.Mutex
	byTest map[string]outcome
}{byTest: map[string]outcome{}}

// report keeps the row of a test.
func (c *chaos) report(broken bridgetest.Violations) {
	if !*chaosForm {
		return
	}
	o := outcome{lost: broken.Count("lost: "), twice: broken.Count("the message for the second time"), times: c.round.Load(), readers: len(c.clients), recovery: c.recovery, published: c.ledger.Published()}
	o.acknowledged, _, _ = c.ledger.Counts()
	for _, client := range c.clients {
		o.delivered += int(client.messages.Load())
		o.gaps += client.gaps.Load()
		o.resets += client.resets.Load()
		if c.endsOf(client.Log.Subjects[0]) > 0 {
			o.silence = max(o.silence, client.silence)
		}
	}
	outcomes.Lock()
	defer outcomes.Unlock()
	outcomes.byTest[c.t.Name()] = o
}

// writeReport prints the table, and writes it if all tests have run and were green.
func writeReport(isGreen bool) error {
	table, missing := reportTable()
	fmt.Print(table)
	if *chaosOnly != "" || !isGreen {
		return nil
	}
	if len(missing) > 0 {
		return fmt.Errorf("these have not run here, and the table stays as it was: %s", strings.Join(missing, ", "))
	}
	text, err := os.ReadFile(reliability)
	if err != nil {
		return err
	}
	before, rest, _ := strings.Cut(string(text), tableBegin)
	_, after, isThere := strings.Cut(rest, tableEnd)
	if !isThere {
		return fmt.Errorf("%s lacks %s", reliability, strings.TrimSpace(tableBegin+tableEnd))
	}
	return os.WriteFile(reliability, []byte(before+tableBegin+table+tableEnd+after), 0o644)
}

const tableBegin, tableEnd = "<!-- chaos:begin -->\n", "<!-- chaos:end -->"

func reportTable() (table string, missing []string) {
	var text strings.Builder
	fmt.Fprintf(&text, "Measured on %s, on %d processors that all bridges, servers, publishers and readers of several tests shared.\n\n", time.Now().UTC().Format("2006-01-02"), runtime.NumCPU())
	text.WriteString("| fault | times | published | acknowledged | readers | delivered | lost | twice | gaps | resets | longest silence of a reader | all was well after |\n")
	text.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, fault := range faults {
		o, isThere := outcomes.byTest[fault.test]
		if !isThere {
			missing = append(missing, fault.test)
			continue
		}
		fmt.Fprintf(&text, "| %s: `%s` | %d | %d | %d | %d | %d | %d | %d | %d | %d | %s | %s |\n", fault.what, fault.test, o.times, o.published, o.acknowledged,
			o.readers, o.delivered, o.lost, o.twice, o.gaps, o.resets, seconds(o.silence), seconds(o.recovery))
	}
	return text.String(), missing
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
