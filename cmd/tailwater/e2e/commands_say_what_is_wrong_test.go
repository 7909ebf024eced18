package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// The exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
	exitRefused = 3
	exitAway    = 4
)

// call runs the command line with settings, in an empty folder, until it ends by itself.
func call(t *testing.T, s settings, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return invocation{t.TempDir(), s, args}.call(t)
}

// invocation is a call of the command in a folder and with settings.
type invocation struct {
	dir      string
	settings settings
	args     []string
}

func (i invocation) call(t *testing.T) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	if slices.Contains(i.args, "check") {
		i.settings = onFreePorts(i.settings)
	}
	ctx, cancel := context.WithTimeout(t.Context(), allowed())
	defer cancel()
	code = i.run(t, ctx, &out, &err)
	secrets.Overhear(err.String())
	if !slices.Contains(i.args, "token") { // which is asked for one
		secrets.Overhear(out.String())
	}
	return code, out.String(), err.String()
}

// run runs the command until it ends, by itself or because it is interrupted when ctx ends, and returns its exit code.
func (i invocation) run(t *testing.T, ctx context.Context, stdout, stderr io.Writer) int {
	t.Helper()
	path, err := bridgetest.Tailwater()
	noError(t, err)
	cmd := exec.CommandContext(ctx, path, i.args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Dir, cmd.Env = i.dir, append(os.Environ(), environ(i.settings)...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && ctx.Err() == nil && !errors.As(err, &exit) {
		t.Error(err)
	}
	return cmd.ProcessState.ExitCode()
}

// environ returns settings as variables of the environment.
func environ(s settings) (env []string) {
	for name, value := range s {
		env = append(env, "TAILWATER_"+name+"="+value)
	}
	return env
}

// onFreePorts returns settings with a free port for each address that is not set.
func onFreePorts(s settings) settings {
	all := settings{"HTTP_LISTEN": "127.0.0.1:0", "ADMIN_LISTEN": "127.0.0.1:0"}
	if s["NATS_URL"]+s["NATS_CONTEXT"]+s["EMBED_CONFIG"] == "" {
		all["EMBED_LISTEN"] = "127.0.0.1:0"
	}
	return with(all, s)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	_, flag, _ := call(t, nil, "--version")
	code, out, _ := call(t, nil, "version")
	if code != 0 || !strings.HasPrefix(out, "tailwater ") || out != flag {
		t.Errorf("exit code %d; version prints %q, --version prints %q", code, out, flag)
	}
}

// The help of a command ends with the settings that the command uses, and no others.
func TestHelpOfACommand(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args         string
		has, hasNone string
	}{
		{"serve", "TAILWATER_DEMO_TIME", "--connections"},
		{"check", "TAILWATER_DEMO_TIME", "--connections"},
		{"token", "TAILWATER_AUTH_JWT_SECRET", "TAILWATER_HTTP_LISTEN"},
		{"bench", "--connections", "TAILWATER_"},
		{"version", "tailwater version", "TAILWATER_"},
		{"sub", "--since", "TAILWATER_HTTP_LISTEN"},
		{"pub", "--idempotency-key", "TAILWATER_HTTP_LISTEN"},
		{"", "TAILWATER_DEMO_TIME", "--connections"},
	} {
		t.Run(test.args, func(t *testing.T) {
			words := strings.Fields(test.args)
			code, flag, _ := call(t, nil, append(words, "--help")...)
			if code != 0 || !strings.Contains(flag, test.has) || strings.Contains(flag, test.hasNone) {
				t.Errorf("--help: exit code %d, want %s and not %s:\n%s", code, test.has, test.hasNone, flag)
			}
			code, out, stderr := call(t, nil, append([]string{"help"}, words...)...)
			if code != 0 || out != flag {
				t.Errorf("help: exit code %d, and other words than --help has:\n%s%s", code, out, stderr)
			}
		})
	}
	if code, _, stderr := call(t, nil, "help", "nothing"); code != exitUsage || !strings.Contains(stderr, "nothing") {
		t.Errorf("help of no command: exit code %d: %s", code, stderr)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	defer busy.Close()
	for _, test := range []struct {
		name     string
		args     []string
		settings settings
		code     int
		says     []string
	}{
		{"unknown flag", []string{"--color"}, nil, exitUsage, []string{"--color", "--help"}},
		{"unknown command", []string{"server"}, nil, exitUsage, []string{"server"}},
		{"bad settings, all at once", nil, settings{"HTTP_LISTN": "x", "LIMIT_BODY": "many"}, exitUsage, []string{"TAILWATER_HTTP_LISTEN", "TAILWATER_LIMIT_BODY"}},
		{"missing file", []string{"--env-file", "/nowhere/at/all"}, nil, exitUsage, []string{"/nowhere/at/all"}},
		{"busy port", nil, settings{"HTTP_LISTEN": busy.Addr().String(), "ADMIN_LISTEN": "", "EMBED_LISTEN": ""}, exitFailure, []string{"TAILWATER_HTTP_LISTEN"}},
		{"unknown context", nil, settings{"NATS_CONTEXT": "no-such-context"}, exitFailure, []string{"no-such-context"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, _, stderr := call(t, test.settings, test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			wantAll(t, "it", stderr, test.says...)
		})
	}
}

// serve and check read the settings of a file. A file whose names lack the prefix starts something else than was meant; both say so.
func TestFileWithoutPrefix(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := writeFile(t, dir, "settings.env", "NATS_URL=nats://ada:s3cret@127.0.0.1:1\nTAILWATER_HTTP_LISTEN=127.0.0.1:0\n"+
		"TAILWATER_ADMIN_LISTEN=\nTAILWATER_EMBED_LISTEN=\nTAILWATER_EMBED_DIR="+filepath.Join(dir, "data")+"\n")
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &signalWriter{cancel: cancel}
	serveCode := invocation{dir, nil, []string{"serve", "--env-file", file}}.run(t, ctx, &bytes.Buffer{}, stderr)
	if _, err := os.Stat(filepath.Join(dir, "data")); err != nil {
		t.Errorf("the file's folder was not used: %v", err)
	}
	checkCode, checked, _ := call(t, nil, "check", "--env-file", file)
	for said, code := range map[string]int{stderr.text.String(): serveCode, checked: checkCode} {
		if code != 0 || !strings.Contains(said, "did you mean TAILWATER_NATS_URL?") || strings.Contains(said, "s3cret") {
			t.Errorf("exit code %d, and:\n%s", code, said)
		}
	}
}

// signalWriter takes the place of standard error, and stops the process as soon as it says that it listens.
type signalWriter struct {
	text   bytes.Buffer
	cancel func()
}

func (w *signalWriter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(`"msg":"listening"`)) {
		w.cancel()
	}
	secrets.Overhear(string(p))
	return w.text.Write(p)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		dir := t.TempDir()
		code, out, stderr := invocation{dir, settings{"ROUTES": "/room/{name}=chat.{name},/secret=internal.secret"}, []string{"check"}}.call(t)
		if code != 0 {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		wantAll(t, "it", out, "embedded", "127.0.0.1:0", "chat.>", "/room/{name}=chat.{name} (anyone may read it)", "/secret=internal.secret (nobody may read")
		wantAll(t, "it", out, "/room/{name} -> chat.*", "stream TAILWATER\n", "time.>", "not stored: TAILWATER_HISTORY does not cover it")
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("it left %v behind", entries)
		}
	})
	t.Run("external", func(t *testing.T) {
		server := bridgetest.StartNATSServer(t)
		s := settings{
			"NATS_URL": server.URL(), "LIMIT_BODY": "2MiB", "HISTORY": "chat.>", "ANONYMOUS_SUBSCRIBE": "time.>",
			"ROUTES": "/config/{key...}=$KV.config.{key},/log=log.a",
		}
		js := connectJetStream(t, server.URL())
		if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "config"}); err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "LOG", Subjects: []string{"log.>"}, AllowDirect: true}); err != nil {
			t.Fatal(err)
		}
		code, out, stderr := call(t, s, "check")
		wantAll(t, "it", out,
			"(anyone may read it, because it names a bucket)",
			"/config/{key...} -> $KV.config.>  stream KV_config\n",
			"/log -> log.a                     stream LOG\n    ! the stream LOG has no limit", "      fix: nats stream edit LOG --max-age=",
			"time.>                            not stored: no stream holds it\n",
			"chat.>                            stream TAILWATER, created at the start\n",
		)
		if code != 0 || !strings.Contains(out, strings.TrimPrefix(server.URL(), "nats://")) || !strings.Contains(out, "version 2.") || !strings.Contains(out, "TAILWATER_LIMIT_BODY") {
			t.Errorf("exit code %d, output:\n%s%s", code, out, stderr)
		}
		server.Kill()
		if code, _, stderr := call(t, s, "check"); code != exitFailure || !strings.Contains(stderr, "connect to NATS") {
			t.Errorf("without NATS: exit code %d: %s", code, stderr)
		}
	})
}
