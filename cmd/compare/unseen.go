package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A server that closes a connection behind data that nobody reads has let its client go, and the client cannot see it: the
// end waits behind the data. So such connections are counted where they are, at the server's port.

// lookEvery is how often connections are looked at.
const lookEvery = 250 * time.Millisecond

// watchUnseen gives, when ctx has ended, how many connections of a port had been closed by the server alone at one time.
func watchUnseen(ctx context.Context, port string) (most int) {
	for {
		most = max(most, unseen(port))
		if !sleep(ctx, lookEvery) {
			return most
		}
	}
}

// finWait1 is the state of a socket that was closed, and whose peer has not got the end yet (TCP_FIN_WAIT1 of Linux).
const finWait1 = "04"

// unseen counts those of a port that wait for their clients to read.
func unseen(port string) (count int) {
	number, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	table, _ := os.ReadFile("/proc/net/tcp") // there is none on other systems
	suffix := fmt.Sprintf(":%04X", number)
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line) // number, own address, other address, state
		if len(fields) > 3 && strings.HasSuffix(fields[1], suffix) && fields[3] == finWait1 {
			count++
		}
	}
	return count
}
