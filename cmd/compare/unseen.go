package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// If a server closes a connection with unread data, the client cannot see it: the end is queued after the data. So such connections are
// counted at the server's port.

// lookEvery is the interval of counting.
const lookEvery = 250 * time.Millisecond

// watchUnseen returns, when ctx has ended, the most connections of a port that only the server had closed at any one time.
func watchUnseen(ctx context.Context, port string) (most int) {
	for {
		most = max(most, unseen(port))
		if !sleep(ctx, lookEvery) {
			return most
		}
	}
}

// finWait1 is the state of a closed socket whose peer has not received the end yet (TCP_FIN_WAIT1 of Linux).
const finWait1 = "04"

// unseen counts the connections of a port that wait for their clients to read.
func unseen(port string) (count int) {
	number, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	table, _ := os.ReadFile("/proc/net/tcp") // missing on other systems
	suffix := fmt.Sprintf(":%04X", number)
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line) // number, own address, other address, state
		if len(fields) > 3 && strings.HasSuffix(fields[1], suffix) && fields[3] == finWait1 {
			count++
		}
	}
	return count
}

func sleep(ctx context.Context, length time.Duration) bool {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
