package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

// The settings of these tests. In one case a stream holds everything that callers read, so that its name is enough; in the
// other, streams come and go, whatever their names.
var walled = map[string]settings{
	"streams by name": {"ANONYMOUS_SUBSCRIBE": "chat.>,log.>", "ANONYMOUS_PUBLISH": "chat.>,llm.>"},
	"any stream":      {"ANONYMOUS_SUBSCRIBE": "chat.>,log.>,live.>", "ANONYMOUS_PUBLISH": "chat.>,llm.>,live.>"},
}

// TestPermissionsAreEnough runs the bridge under what check prints, as it is printed.
func TestPermissionsAreEnough(t *testing.T) {
	t.Parallel()
	for name, s := range walled {
		t.Run(name, func(t *testing.T) {
			wall := buildWall(t, s)
			run := wall.start(t, "bridge", s)
			e := run.exercise()
			e.restart = func() {
				wall.server.Kill()
				wall.server.Start(t)
			}
			if err := e.run(); err != nil {
				t.Error(err)
			}
			run.stop(t)
			if said := string(must(t, func() ([]byte, error) { return os.ReadFile(wall.log) })); strings.Contains(said, "Violation") {
				t.Errorf("nats-server says:\n%s", said)
			}
			if _, isViolated := run.log.violation(); isViolated {
				t.Error("the bridge was refused something")
			}
			if code, out, _ := call(t, wall.settings(s, "bridge"), "check"); code != 0 || strings.Contains(out, "does not let") {
				t.Errorf("exit code %d of check under these permissions:\n%s", code, out)
			}
			wall.wantNothingElse(t, wall.url("bridge"), name == "any stream")
		})
	}
}

// TestCheckNamesMissingPermissions takes away each of those without which callers do not get what is stored for them.
func TestCheckNamesMissingPermissions(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	for name, s := range walled {
		t.Run(name, func(t *testing.T) {
			wall := buildWall(t, s)
			for _, without := range wall.without {
				if isWritten := slices.Contains([]string{"chat.>", "live.>", "llm.>", "answers.>", string(node.ClockSubject)}, without.subject) && without.publish; isWritten {
					continue // only a message would show it, and check sends none
				}
				if isOfService(without.subject) {
					continue // which is no failure: see TestServiceAtYourOwnNATS
				}
				if strings.Contains(without.subject, bridge.PresenceBucket) {
					continue // the bucket is not there yet
				}
				wall.furnish(t, "admin-"+without.user, s)
				code, out, stderr := call(t, wall.settings(s, without.user), "check")
				if code != exitFailure || !strings.Contains(stderr, fixedTokens(without.subject)) {
					t.Errorf("without %s: exit code %d of check:\n%s%s", without.subject, code, out, stderr)
				}
			}
		})
	}
}

// TestPermissionsAreLeast takes each of them away, and each is missed.
func TestPermissionsAreLeast(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	for name, s := range walled {
		t.Run(name, func(t *testing.T) {
			wall := buildWall(t, s)
			for _, without := range wall.without {
				t.Run(without.subject, func(t *testing.T) {
					t.Parallel()
					run := wall.start(t, without.user, s)
					err := run.exercise().run()
					run.stop(t)
					refused, isViolated := run.log.violation()
					if !isViolated || !strings.Contains(refused, fixedTokens(without.subject)) {
						t.Errorf("nothing was missed without it: %v; refused: %s", err, refused)
					}
				})
			}
		})
	}
}

// What a subject may hold, nats-server reads as it was written.
func TestPermissionsAreQuoted(t *testing.T) {
	t.Parallel()
	_, out, _ := call(t, settings{
		"NATS_URL": "nats://127.0.0.1:1", "ANONYMOUS_SUBSCRIBE": `größe.*,a"b.\.x,#.{},%41.$HOME,true`, "ANONYMOUS_PUBLISH": `say."hi"`,
		"ROUTES": `/k/{key...}=$KV.b.{key},/same=true,/refused=secret`,
	}, "check")
	_, printed, _ := strings.Cut(out, "nats-server\n")
	printed, _, _ = strings.Cut(printed, "\nVerdict: ")
	p := readPermissions(t, t.TempDir(), printed)
	for _, want := range []string{"größe.*", `a"b.\.x`, "#.{}", "%41.$HOME", "true", "$KV.b.>"} {
		if !slices.Contains(p.Subscribe.Allow, want) {
			t.Errorf("nats-server does not read %s, but %q", want, p.Subscribe.Allow)
		}
	}
	if !slices.Contains(p.Publish.Allow, `say."hi"`) || slices.Contains(p.Subscribe.Allow, "secret") {
		t.Errorf("nats-server reads %q and %q", p.Publish.Allow, p.Subscribe.Allow)
	}
}

// A context of the nats command may bring an inbox of its own, which its user is allowed.
func TestPermissionsForTheInboxOfAContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := bridgetest.StartNATSServer(t)
	context := writeFile(t, dir, "context.json", fmt.Sprintf(`{"url":%q,"inbox_prefix":"_INBOX_ada"}`, server.URL()))
	code, out, stderr := call(t, settings{"NATS_CONTEXT": context}, "check")
	if code != 0 || !strings.Contains(out, `"_INBOX_ada.>"`) || strings.Contains(out, "_INBOX_tailwater") {
		t.Errorf("exit code %d of check:\n%s%s", code, out, stderr)
	}
}

// wall is a nats-server with users that have the permissions that check prints, each in an account of its own.
type wall struct {
	server  *bridgetest.NATSServer
	log     string // the file of what it says, below the repository
	without []weakened
}

// weakened is a user who lacks one of them.
type weakened struct {
	user string
	block
}

const plainAccount = "PLAIN { jetstream: enabled, users: [ { user: plain, password: s3cret } ] }\n"

// buildWall asks check, and starts the server again with what it prints.
func buildWall(t *testing.T, s settings) *wall {
	t.Helper()
	dir := t.TempDir()
	config := writeFile(t, dir, "nats.conf", "accounts {\n"+plainAccount+"}\n")
	w := &wall{log: filepath.Join(dir, "log")}
	w.server = bridgetest.StartNATSServer(t, "-c", config, "-l", w.log)
	w.furnish(t, "plain", s)
	code, out, stderr := call(t, w.settings(s, "plain"), "check")
	_, block, found := strings.Cut(out, "nats-server\n")
	block, _, _ = strings.Cut(block, "\nVerdict: ")
	if code != 0 || !found {
		t.Fatalf("exit code %d of check:\n%s%s", code, out, stderr)
	}
	text := plainAccount + account("bridge", block)
	for i, p := range weaken(t, dir, block) {
		user := fmt.Sprint("without", i)
		w.without = append(w.without, weakened{user, p})
		text += account(user, p.block)
	}
	w.server.Kill()
	writeFile(t, dir, "nats.conf", "accounts {\n"+text+"}\n")
	w.server.Start(t)
	return w
}

// account is an account with a bridge's user, and one who may do everything.
func account(user, permissions string) string {
	return fmt.Sprintf("%s { jetstream: enabled, users: [\n{ user: %s, password: s3cret\n%s}\n{ user: admin-%s, password: s3cret }\n] }\n",
		strings.ToUpper(user), user, permissions, user)
}

type block struct {
	subject, block string
	publish        bool // the subject is lacking to publish, not to subscribe
}

// weaken reads permissions as nats-server does, and gives all but one of them, for each.
func weaken(t *testing.T, dir, printed string) (blocks []block) {
	t.Helper()
	p := readPermissions(t, dir, printed)
	lacking := func(all []string, i int) []string { return slices.Delete(slices.Clone(all), i, i+1) }
	write := func(publish, subscribe []string) string {
		return fmt.Sprintf("permissions: { publish: %s, subscribe: %s }", array(publish), array(subscribe))
	}
	for i, subject := range p.Publish.Allow {
		blocks = append(blocks, block{subject, write(lacking(p.Publish.Allow, i), p.Subscribe.Allow), true})
	}
	for i, subject := range p.Subscribe.Allow {
		blocks = append(blocks, block{subject, write(p.Publish.Allow, lacking(p.Subscribe.Allow, i)), false})
	}
	return blocks
}

// fixedTokens returns what a permission has in common with what is refused without it.
func fixedTokens(subject string) string {
	before, _, _ := strings.Cut(subject, "*")
	return strings.TrimRight(before, ".>")
}

// isOfService reports whether a permission is for the micro service, without which the bridge does all else.
func isOfService(subject string) bool {
	return strings.HasPrefix(subject, "$SRV.*") || strings.HasPrefix(subject, "$TAILWATER.")
}

// readPermissions reads as nats-server does.
func readPermissions(t *testing.T, dir, printed string) *server.Permissions {
	t.Helper()
	options, err := server.ProcessConfigFile(writeFile(t, dir, "printed.conf", "authorization { users = [ { user: bridge, password: s3cret\n"+printed+"} ] }"))
	if err != nil {
		t.Fatalf("%v:\n%s", err, printed)
	}
	p := options.Users[0].Permissions
	if len(p.Publish.Allow) < 5 || len(p.Subscribe.Allow) < 3 || len(p.Publish.Deny)+len(p.Subscribe.Deny) > 0 {
		t.Fatalf("nats-server reads %+v and %+v", p.Publish, p.Subscribe)
	}
	return p
}

func array(subjects []string) string { return `["` + strings.Join(subjects, `", "`) + `"]` }

func (w *wall) url(user string) string {
	return fmt.Sprintf("nats://%s:s3cret@127.0.0.1:%d", user, w.server.Port)
}

// furnish makes the streams that are there before the bridge.
func (w *wall) furnish(t *testing.T, user string, s settings) jetstream.JetStream {
	t.Helper()
	js := connectJetStream(t, w.url(user))
	streams := []jetstream.StreamConfig{logStream, {Name: "OTHER", Subjects: []string{"other.>"}, AllowDirect: true}}
	if !isLive(s) { // then the bridge has to make its own
		streams = append(streams, chatStream)
	}
	for _, config := range streams {
		if _, err := js.CreateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.CreateKeyValue(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	return js
}

// settings returns those of a bridge that signs in as a user.
func (w *wall) settings(s settings, user string) settings {
	return with(s, settings{
		"NATS_URL": w.url(user), "ROUTES": cmp.Or(s["ROUTES"], "/config/{key...}=$KV.config.{key},ASK /ask/{model}=llm.{model}"), "DEMO_TIME": "true",
		"HISTORY": "chat.>,answers.>", "PRESENCE": "chat.>", "HISTORY_MAX_BYTES": "16MiB",
	})
}

// guarded is a bridge whose refusals are noticed.
type guarded struct {
	testNode
	log  *watchedLog
	js   jetstream.JetStream // of someone who may do everything
	live bool                // nothing holds live.>, and it may be read
}

func (w *wall) start(t *testing.T, user string, s settings) *guarded {
	t.Helper()
	g := &guarded{log: newWatchedLog(t), live: isLive(s), js: w.furnish(t, "admin-"+user, s)}
	opened, err := openLogged(t, with(w.settings(s, user), settings{"DRAIN_WINDOW": "10ms"}), g.log)
	noError(t, err)
	g.Node = opened
	t.Cleanup(func() { g.stop(t) })
	return g
}

// watchedLog is a bridge's log. It looks for what NATS has refused.
type watchedLog struct {
	out      interface{ Write([]byte) (int, error) }
	context  context.Context // which ends then
	violated context.CancelCauseFunc
}

func newWatchedLog(t *testing.T) *watchedLog {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	l := &watchedLog{out: t.Output()}
	l.context, l.violated = context.WithCancelCause(ctx)
	return l
}

// errViolation says what NATS has refused.
type errViolation string

func (e errViolation) Error() string { return string(e) }

func (l *watchedLog) Write(line []byte) (int, error) {
	if text := string(line); strings.Contains(strings.ToLower(text), "permissions violation") {
		l.violated(errViolation(text))
	}
	return l.out.Write(line)
}

func (l *watchedLog) violation() (line string, isViolated bool) {
	var refused errViolation
	isViolated = errors.As(context.Cause(l.context), &refused)
	return string(refused), isViolated
}

// wantNothingElse tries, as the bridge's user, what the bridge has no business with.
func (w *wall) wantNothingElse(t *testing.T, as string, readsAnyStream bool) {
	t.Helper()
	spy, err := nats.Connect(as, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	noError(t, err)
	defer spy.Close()
	admin := publisher(t, w.url("admin-bridge"))
	canaries := make(chan *nats.Msg, 100)
	for _, subject := range []string{">", "*.>", "$SYS.>", "$JS.>", "$JS.API.>", "$JS.ACK.>", "$KV.>", "$KV.secret.>", "_INBOX.>", "other.>", "other.secret", "chat"} {
		refused(t, spy, subject, func() error { _, err := spy.ChanSubscribe(subject, canaries); return err })
	}
	uses := []string{
		"other.x", "log.x", "$KV.config.x", "$SYS.REQ.SERVER.PING", "$JS.API.STREAM.DELETE.LOG", "$JS.API.STREAM.PURGE.LOG", "$JS.API.STREAM.UPDATE.LOG",
		"$JS.API.STREAM.MSG.DELETE.LOG", "$JS.API.STREAM.CREATE.MIRROR", "$JS.API.STREAM.SNAPSHOT.LOG", "$JS.API.CONSUMER.DURABLE.CREATE.LOG.x", "_INBOX.x",
	}
	if !readsAnyStream {
		uses = append(uses, "$JS.API.STREAM.CREATE.TAILWATER", "$JS.API.STREAM.MSG.GET.OTHER", "$JS.API.DIRECT.GET.OTHER", "$JS.API.DIRECT.GET.OTHER.other.secret", "$JS.API.CONSUMER.CREATE.OTHER.x")
	}
	for _, subject := range uses {
		refused(t, spy, subject, func() error { return spy.Publish(subject, nil) })
	}
	for _, subject := range []string{"$SYS.canary", "$KV.secret.x", "_INBOX.canary", "other.secret", "chat"} {
		noError(t, admin.Publish(subject, []byte("canary")))
	}
	noError(t, errors.Join(admin.Flush(), spy.Flush()))
	if len(canaries) > 0 {
		t.Errorf("it reads %s", (<-canaries).Subject)
	}
}

// refused wants NATS to refuse what use does to a subject.
func refused(t *testing.T, conn *nats.Conn, subject string, use func() error) {
	t.Helper()
	noError(t, errors.Join(use(), conn.Flush()))
	if err := conn.LastError(); !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), `"`+subject+`"`) {
		t.Errorf("%s is not refused: %v", subject, err)
	}
}
