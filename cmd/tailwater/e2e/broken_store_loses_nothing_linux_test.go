package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// numbered posts messages that begin with their numbers, on a connection that it keeps, and knows which were acknowledged.
type numbered struct {
	t            *testing.T
	url          string
	client       http.Client
	next         int
	acknowledged []int
	answered     string // the body of the last answer
}

func newNumbered(t *testing.T, url string) *numbered {
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return &numbered{t: t, url: url, client: http.Client{Transport: transport}}
}

// post posts another message, which is so large that few fit into what a full disk may have left.
func (n *numbered) post() *http.Response {
	n.t.Helper()
	n.next++
	response, err := n.client.Post(n.url, "text/plain", strings.NewReader(strconv.Itoa(n.next)+strings.Repeat(" padding", 4096)))
	noError(n.t, err)
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	noError(n.t, err)
	n.answered = string(said)
	if response.StatusCode == http.StatusCreated {
		n.acknowledged = append(n.acknowledged, n.next)
	}
	return response
}

// postUntilRefused posts until the store is broken.
func (n *numbered) postUntilRefused() {
	n.t.Helper()
	response := n.post()
	for range 1000 {
		if response.StatusCode != http.StatusCreated {
			break
		}
		response = n.post()
	}
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		n.t.Fatalf("a broken store is told as %s, %v", response.Status, response.Header)
	}
	wantAll(n.t, "the answer", n.answered, "#store-broken", "cannot store", "/readyz")
}

// expectAll reads until the newest message that was acknowledged. All must be there, once and in order; one that was not acknowledged
// may be.
func (n *numbered) expectAll(from *subscription) {
	n.t.Helper()
	last := 0
	for _, want := range n.acknowledged {
		for last < want {
			event := from.next()
			digits, _, _ := strings.Cut(event.Data, " ")
			got, err := strconv.Atoi(digits)
			if err != nil || got <= last || got > want {
				n.t.Fatalf("behind %d comes %s %.40q, want %d", last, event.Type, event.Data, want)
			}
			last = got
		}
	}
}

// outlives breaks and repairs the store of a process, with a reader connected. doing is posted before and after.
func outlives(t *testing.T, p *process, posts *numbered, breaks, mends func(), reason string) {
	t.Helper()
	probe := http.Client{Transport: new(http.Transport)}
	defer probe.CloseIdleConnections()
	ready := func() (int, string) {
		response, err := probe.Get(p.admin + "/readyz")
		noError(t, err)
		return answer(t, response)
	}
	live, _ := subscribe(t, p.http+"/events/chat.a", "")
	for range 5 {
		posts.post()
	}
	if status, text := ready(); status != http.StatusOK || len(posts.acknowledged) != 5 {
		t.Fatalf("%d %s; acknowledged: %v", status, text, posts.acknowledged)
	}
	breaks()
	posts.postUntilRefused()
	eventually(t, "the bridge is not ready, and says why", func() bool {
		status, text := ready()
		return status == http.StatusServiceUnavailable && strings.Contains(text, reason)
	})
	mends()
	eventually(t, "the bridge is ready again", func() bool {
		status, text := ready()
		return status == http.StatusOK && strings.Contains(text, "connected")
	})
	// The bridge may not have noticed yet that its connection to the former server is lost.
	eventually(t, "a store that was repaired accepts messages", func() bool { return posts.post().StatusCode == http.StatusCreated })
	posts.expectAll(live)
	wantAll(t, "the log", p.log.String(), `"level":"ERROR","msg":"the embedded NATS server cannot store`, reason, "was restarted")
	if _, metrics := get(t, p.admin+"/metrics"); !strings.Contains(metrics, "\ntailwater_embedded_restarts_total 1\n") || !strings.Contains(metrics, "\ntailwater_embedded_store_broken 0\n") {
		t.Error("the metrics do not tell of it")
	}
}

// A disk that was full and was freed again costs nothing but time: the bridge is not ready meanwhile, reads what it has, and comes back by
// itself. Neither its readers nor the next start take that for damage.
func TestFullDiskThatIsFreed(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 32)
	env := []string{"TAILWATER_EMBED_DIR=" + filepath.Join(disk, "data"), "TAILWATER_LIMIT_PUBLISH_RATE=0"}
	p := startProcess(t, env...)
	posts := newNumbered(t, p.http+"/events/chat.a")
	ballast := filepath.Join(disk, "ballast")
	outlives(t, p, posts,
		func() { fill(t, ballast) },
		func() {
			kept, _ := subscribe(t, p.http+"/events/chat.a?since=all", "")
			posts.expectAll(kept)
			if err := os.Remove(ballast); err != nil {
				t.Error(err)
			}
		}, "no space left")
	p.terminate(t)
	again := startProcess(t, env...)
	kept, _ := subscribe(t, again.http+"/events/chat.a?since=all", "")
	posts.expectAll(kept)
	if log := p.log.String() + again.log.String(); strings.Contains(log, "damaged") {
		t.Errorf("logged:\n%s", log)
	}
}

// smallDisk returns a folder on a file system of so many MiB.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, fmt.Sprintf("size=%dm", size)); err != nil {
		t.Skipf("only who may mount a small file system can fill it: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	return disk
}

// A bridge that is started while its disk is full is not ready, says why, and reads what it has. When there is room, it stores again.
func TestStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 32)
	env := []string{"TAILWATER_EMBED_DIR=" + filepath.Join(disk, "data"), "TAILWATER_LIMIT_PUBLISH_RATE=0"}
	p := startProcess(t, env...)
	posts := newNumbered(t, p.http+"/events/chat.a")
	for range 20 {
		posts.post()
	}
	p.terminate(t)
	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	p = startProcess(t, env...)
	posts.url = p.http + "/events/chat.a"
	if status, text := get(t, p.admin+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("on a full disk /readyz answers %d %s", status, text)
	}
	posts.postUntilRefused()
	eventually(t, "/readyz says what to do", func() bool {
		_, text := get(t, p.admin+"/readyz")
		return strings.Contains(text, "JetStream's limit") && strings.Contains(text, "free disk space")
	})
	kept, _ := subscribe(t, p.http+"/events/chat.a?since=all", "")
	posts.expectAll(kept)
	kept.expect("tailwater:synced", "{}")
	noError(t, os.Remove(ballast))
	eventually(t, "the bridge is ready", func() bool {
		status, _ := get(t, p.admin+"/readyz")
		return status == http.StatusOK
	})
	eventually(t, "messages are stored", func() bool { return posts.post().StatusCode == http.StatusCreated })
	posts.acknowledged = posts.acknowledged[len(posts.acknowledged)-1:]
	posts.expectAll(kept)
	if log := p.start + p.log.String(); strings.Contains(log, "damaged") {
		t.Errorf("logged:\n%s", log)
	}
}

// fill writes a file until the disk is full.
func fill(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	noError(t, err)
	defer file.Close()
	chunk := make([]byte, 64<<10)
	for err == nil {
		_, err = file.Write(chunk)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// Descriptors that ran out, and are there again, cost no more than that either.
func TestDescriptorsThatRunOut(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "TAILWATER_LIMIT_PUBLISH_RATE=0", "TAILWATER_HISTORY_MAX_BYTES=4MiB")
	var giveBack func()
	outlives(t, p, newNumbered(t, p.http+"/events/chat.a"),
		func() { giveBack = takeDescriptors(t, p.cmd.Process.Pid) }, func() { giveBack() }, "too many open files")
}

// takeDescriptors lets a process open no more files until they are given back. What is open stays open.
func takeDescriptors(t *testing.T, pid int) (giveBack func()) {
	t.Helper()
	var before unix.Rlimit
	limit := func(next, old *unix.Rlimit) {
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, next, old); err != nil {
			t.Error(err)
		}
	}
	limit(nil, &before)
	limit(&unix.Rlimit{Cur: 3, Max: before.Max}, nil)
	return func() { limit(&before, nil) }
}

// Where it does not help that the embedded server is started anew, the process ends with an error that says so, and has kept all that was
// acknowledged.
func TestChaosStoreThatStaysBroken(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	dir := t.TempDir()
	env := []string{"TAILWATER_EMBED_DIR=" + dir, "TAILWATER_LIMIT_PUBLISH_RATE=0", "TAILWATER_HISTORY_MAX_BYTES=4MiB"}
	p := startProcess(t, env...)
	posts := newNumbered(t, p.http+"/events/chat.a")
	posts.post()
	obstacle := filepath.Join(dir, "jetstream", "$G", "streams", "TAILWATER", "msgs", "2.blk") // where the next file is to be
	noError(t, os.Mkdir(obstacle, 0o700))
	posts.postUntilRefused()
	var exit *exec.ExitError
	if err := p.end(t, 2*patience); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("the process has ended with %v, want exit code 1", err)
	}
	wantAll(t, "the log", p.log.String(), "4 restarts have not helped", "cannot be recovered", dir)
	noError(t, os.Remove(obstacle))
	again := startProcess(t, env...)
	kept, _ := subscribe(t, again.http+"/events/chat.a?since=all", "")
	posts.expectAll(kept)
}
