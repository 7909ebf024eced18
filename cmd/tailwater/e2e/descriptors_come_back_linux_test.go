package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Where descriptors have run out, whatever holds them, the log says so, at a bounded rate; probes are answered, by one connection after
// another, and so is everybody when there are some again.
func TestDescriptorsRunOut(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	allow := func(descriptors int) {
		var limit unix.Rlimit
		noError(t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &limit))
		limit.Cur = uint64(descriptors)
		noError(t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil))
	}
	dir := fmt.Sprintf("/proc/%d/fd/", p.cmd.Process.Pid)
	files, err := os.ReadDir(dir)
	noError(t, err)
	last := 0
	for _, file := range files {
		to, err := os.Readlink(dir + file.Name())
		if fd, _ := strconv.Atoi(file.Name()); err == nil && to == os.DevNull {
			last = max(last, fd)
		}
	}
	allow(last + 1) // the limit is on their numbers: what listeners set aside, on os.DevNull, remains usable
	client := from(t, nil)
	for range 20 {
		for _, url := range []string{p.admin + "/healthz", p.admin + "/readyz", p.http + "/"} {
			response, err := newcomer(t, client).Get(url) // each on a connection that stays open
			if err != nil {
				t.Fatalf("%s: %v", url, err)
			}
			status, text := answer(t, response)
			isTold := status == http.StatusServiceUnavailable && strings.Contains(text, "too many open files") // NATS has met it as well
			if status != http.StatusOK && !isTold {
				t.Fatalf("%s: %d %s", url, status, text)
			}
		}
	}
	lines := strings.Count(p.log.String(), "descriptors")
	if lines == 0 || lines > 10 {
		t.Errorf("the log says %d times that descriptors have run out", lines)
	}
	allow(fewDescriptors)
	// The embedded server, which may have met it, begins anew. The bridge is ready then, and a moment later connected to it.
	eventually(t, "the bridge is connected", func() bool {
		response, err := newcomer(t, client).Get(p.admin + "/readyz")
		noError(t, err)
		status, text := answer(t, response)
		return status == http.StatusOK && strings.Contains(text, "NATS is connected")
	})
	expectPost(t, "later", newcomer(t, client), p.http+"/events/chat.room1")
}
