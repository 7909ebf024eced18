package main

import (
	"bufio"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"
)

// The servers, in the order of measurement and display.
const (
	limit     = "limit"
	tailwater = "tailwater"
	nchan     = "nchan"
	byHand    = "by hand"
)

var servers = []string{limit, tailwater, nchan, byHand}

// titles of the servers in tables.
var titles = map[string]string{limit: "bare limit", tailwater: "Tailwater", nchan: "Nchan", byHand: "Go by hand"}

// tools are the programs that a comparison runs: built here, or installed.
type tools struct {
	folder  string
	command string // tailwater
	byHand  string
	nats    string // nats-server
	limit   string // "" without a C compiler
	nginx   string // "" if Nchan is not installed
	module  string // Nchan
}

func (t *tools) has(server string) bool {
	return (server != limit || t.limit != "") && (server != nchan || t.nginx != "")
}

// moduleFolders are the usual folders of nginx's modules.
var moduleFolders = []string{"/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules"}

// prepare builds Tailwater and nats-server.
func prepare(ctx context.Context, folder string) (*tools, error) {
	t := &tools{folder: folder}
	for tool, path := range map[string]*string{"tailwater": &t.command, "nats-server": &t.nats} {
		cmd := exec.CommandContext(ctx, "go", "tool", "-n", tool)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as what is released: the C library, with its 2 MB, is in no release
		out, err := cmd.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", tool, err, out)
		}
		*path = strings.TrimSpace(string(out)) // Go keeps it among what it has built
	}
	return t, nil
}

// others builds the servers to compare with, and looks for installed ones. It installs nothing.
func (t *tools) others(ctx context.Context, progress io.Writer) error {
	t.byHand = filepath.Join(t.folder, "byhand")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", t.byHand, "./"+filepath.ToSlash(filepath.Join(source, "byhand"))).CombinedOutput(); err != nil {
		return fmt.Errorf("build the handler by hand: %w\n%s", err, out)
	}
	if compiler, err := exec.LookPath("cc"); err == nil {
		t.limit = filepath.Join(t.folder, "limit")
		if out, err := exec.CommandContext(ctx, compiler, "-O2", "-o", t.limit, filepath.Join(source, "limit", "limit.c")).CombinedOutput(); err != nil {
			return fmt.Errorf("compile the limit: %w\n%s", err, out)
		}
	} else {
		fmt.Fprintln(progress, "There is no C compiler: the bare limit is left out. On Debian: apt-get install gcc libc6-dev")
	}
	t.findNchan()
	if t.nginx == "" {
		fmt.Fprintln(progress, "Nchan is not installed, and left out. On Debian: apt-get install nginx libnginx-mod-nchan")
	}
	return nil
}

func (t *tools) findNchan() {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx = "/usr/sbin/nginx" // not on every user's path
	}
	if _, err := os.Stat(nginx); err != nil {
		return
	}
	for _, folder := range moduleFolders {
		module := filepath.Join(folder, "ngx_nchan_module.so")
		if _, err := os.Stat(module); err == nil {
			t.nginx, t.module = nginx, module
			return
		}
	}
}

// running is a running server, and what `tailwater bench` must know about it.
type running struct {
	process *exec.Cmd
	reads   []string // flags: the URL of event streams, and the processes that serve them
	publish []string // flags: where to publish
	port    string   // port of the event streams
}

// start starts a server. A write timeout cuts clients that receive nothing; history makes Tailwater store messages.
func (t *tools) start(ctx context.Context, server string, s *scenario) (*running, error) {
	switch server {
	case limit:
		return announced(exec.CommandContext(ctx, t.limit), (*exec.Cmd).StdoutPipe)
	case byHand:
		cmd := exec.CommandContext(ctx, t.byHand, "-write-timeout", s.patience().String())
		return announced(cmd, (*exec.Cmd).StdoutPipe)
	case nchan:
		return t.startNchan(ctx, s.patience())
	}
	return t.startBridge(ctx, "TAILWATER_EMBED_LISTEN=127.0.0.1:0", "TAILWATER_HISTORY="+s.history, "TAILWATER_LIMIT_WRITE_TIMEOUT="+s.patience().String())
}

// startBridge starts Tailwater with more settings.
func (t *tools) startBridge(ctx context.Context, more ...string) (*running, error) {
	folder, err := os.MkdirTemp(t.folder, "run-")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, t.command)
	cmd.Dir = folder
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "TAILWATER_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env,
		"TAILWATER_HTTP_LISTEN=127.0.0.1:0", "TAILWATER_ADMIN_LISTEN=", "TAILWATER_LOG_FORMAT=json",
		"TAILWATER_DRAIN_WINDOW=0s", "TAILWATER_ANONYMOUS_SUBSCRIBE="+everything)
	cmd.Env = append(cmd.Env, more...)
	return announced(cmd, (*exec.Cmd).StderrPipe)
}

// gentle makes the end of the context ask a process to end, and kill it later.
func gentle(cmd *exec.Cmd) {
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = endPatience
}

const (
	startPatience = 10 * time.Second
	endPatience   = 10 * time.Second
)

// announced starts a server that prints its addresses in a line of JSON.
func announced(cmd *exec.Cmd, pipe func(*exec.Cmd) (io.ReadCloser, error)) (*running, error) {
	gentle(cmd)
	said, err := pipe(cmd)
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &running{process: cmd}
	late := time.AfterFunc(startPatience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewReader(said)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s does not start", cmd.Path), r.stop())
		}
		var where struct{ HTTP, NATS string }
		if json.Unmarshal(line, &where) == nil && where.HTTP != "" {
			r.reads = []string{"--url", where.HTTP + "/events/{subject}", "--pid", strconv.Itoa(cmd.Process.Pid)}
			r.publish = []string{"--nats", where.NATS}
			r.port = where.HTTP[strings.LastIndex(where.HTTP, ":")+1:]
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }() // until the process ends
	return r, nil
}

//go:embed nginx.conf
var nginxConf string

func (t *tools) startNchan(ctx context.Context, patience time.Duration) (*running, error) {
	folder, err := os.MkdirTemp(t.folder, "run-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "nginx.conf")
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	err = template.Must(template.New("nginx.conf").Parse(nginxConf)).Execute(file, map[string]any{
		"Files": maxFiles, "Folder": folder, "Module": t.module, "Port": port, "Patience": patience.String(),
	})
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, t.nginx, "-p", folder, "-c", path)
	gentle(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &running{process: cmd}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return r.await(ctx, "nginx", func() error {
		workers, err := children(cmd.Process.Pid)
		if err != nil || len(workers) == 0 {
			return cmp.Or(err, errors.New("it has no worker"))
		}
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		pids := strings.Join(append(workers, strconv.Itoa(cmd.Process.Pid)), ",")
		r.reads = []string{"--url", "http://" + address + "/events/{subject}", "--pid", pids}
		r.publish = []string{"--post", "http://" + address + "/publish/{subject}"}
		r.port = strconv.Itoa(port)
		return conn.Close()
	})
}

// await returns the server when it has started, and stops it if that takes too long.
func (r *running) await(ctx context.Context, name string, started func() error) (*running, error) {
	for until := time.Now().Add(startPatience); ; time.Sleep(20 * time.Millisecond) {
		err := started()
		if err == nil {
			return r, nil
		}
		if time.Now().After(until) || ctx.Err() != nil {
			return nil, errors.Join(errors.New(name+" does not start"), err, r.stop())
		}
	}
}

// maxFiles is how many connections nginx has room for. nginx allocates memory for them at once.
const maxFiles = 16_384

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

func children(pid int) ([]string, error) {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	return strings.Fields(string(list)), err
}

// stop stops the server, and waits until it has ended.
func (r *running) stop() error {
	_ = r.process.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(endPatience, func() { _ = r.process.Process.Kill() })
	defer late.Stop()
	err := r.process.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil // as requested
	}
	return err
}
