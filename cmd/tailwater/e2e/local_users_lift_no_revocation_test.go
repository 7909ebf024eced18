package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// The contexts of the nats command that a bridge with an embedded server leaves in its folder.
const (
	publisherFile = "tailwater-nats.json"
	adminFile     = "tailwater-admin.json"
)

// credentialIn returns the way to sign in that a context holds.
func credentialIn(t *testing.T, dir, context string) nats.Option {
	t.Helper()
	path := filepath.Join(dir, context)
	info, err := os.Stat(path)
	noError(t, err)
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("%s has the mode %o, want 600", context, mode)
	}
	var found struct{ User, Password string }
	if err := json.Unmarshal([]byte(text(t, func() ([]byte, error) { return os.ReadFile(path) })), &found); err != nil || len(found.Password) < 20 {
		t.Fatalf("%s: %v, with a password of %d characters", context, err, len(found.Password))
	}
	secrets.Plant(found.Password)
	return nats.UserInfo(found.User, found.Password)
}

// client returns a connection to NATS, which where the embedded server asks for it signs in as a context says.
func (n *testNode) client(t *testing.T, context string) *nats.Conn {
	t.Helper()
	if n.Embedded == nil || !n.Embedded.IsGuarded() {
		return publisher(t, n.NATSURL())
	}
	return publisher(t, n.NATSURL(), credentialIn(t, n.Settings.Embed.Dir, context))
}

// Other users of the machine need a credential to connect to the embedded server. Who has the one for publishing uses NATS as before, and
// has no way to what is revoked.
func TestLocalUsersLiftNoRevocation(t *testing.T) {
	t.Parallel()
	n := startNode(t, signedIn(settings{}))
	token := func(name string) string {
		return sign(t, tokenSecret, claimsOf(name, ""))
	}
	posts := func(name string) int {
		status, _ := request(t, "POST", n.URL()+"/outbox", token(name), "hi")
		return status
	}
	if conn, err := nats.Connect(n.NATSURL(), nats.MaxReconnects(0)); err == nil || !strings.Contains(strings.ToLower(err.Error()), "authorization violation") {
		if err == nil {
			conn.Close()
		}
		t.Fatalf("a stranger is let in: %v", err)
	}

	local, admin := n.client(t, publisherFile), n.client(t, adminFile)
	usesNATS(t, local)
	kv, err := jetstreamOf(t, admin).KeyValue(t.Context(), auth.RevokedBucket)
	noError(t, err)
	eventually(t, "tokens are taken", func() bool { return posts("alice") == http.StatusAccepted })
	inbox, _ := subscribe(t, n.URL()+"/inbox?ticket="+newTicket(t, n, token("alice")), "")
	if _, err := kv.Put(t.Context(), "sub.alice", nil); err != nil {
		t.Fatal(err)
	}
	inbox.expect("tailwater:close", `{"reason":"auth"}`)

	liftRevocations(t, local)
	if _, err := kv.Put(t.Context(), "sub.carol", nil); err != nil { // behind whatever was done above
		t.Fatal(err)
	}
	eventually(t, "carol is revoked", func() bool { return posts("carol") == http.StatusUnauthorized })
	if alice, bob := posts("alice"), posts("bob"); alice != http.StatusUnauthorized || bob != http.StatusAccepted {
		t.Errorf("alice, who is revoked, gets %d, and bob, who is not, %d", alice, bob)
	}
	status, err := kv.Status(t.Context())
	if err != nil || status.Values() != 2 {
		t.Errorf("the bucket holds %d keys, %v; want 2", status.Values(), err)
	}
}

func jetstreamOf(t *testing.T, conn *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(conn)
	noError(t, err)
	return js
}

// usesNATS does what programs on the same machine do.
func usesNATS(t *testing.T, conn *nats.Conn) {
	t.Helper()
	heard, err := conn.SubscribeSync("shop.>")
	noError(t, err)
	js := jetstreamOf(t, conn)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "SHOP", Subjects: []string{"shop.>"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "shop.order", []byte("one")); err != nil {
		t.Fatal(err)
	}
	if message, err := heard.NextMsg(patience); err != nil || string(message.Data) != "one" {
		t.Fatalf("%v, %v", message, err)
	}
}

// liftRevocations tries what a user of JetStream could do to write into a bucket. What each try is answered does not matter, only what
// becomes of the bucket.
func liftRevocations(t *testing.T, conn *nats.Conn) {
	t.Helper()
	const key, stream = "$KV.tailwater_revoked.sub.", "KV_" + auth.RevokedBucket
	ask := func(subject, body string, header nats.Header) { // what is refused is answered by nobody
		_, _ = conn.RequestMsg(&nats.Msg{Subject: subject, Data: []byte(body), Header: header}, 50*time.Millisecond)
	}
	create := func(subject, body string) { // what JetStream does for everybody
		t.Helper()
		if answer, err := conn.Request("$JS.API."+subject, []byte(body), patience); err != nil || strings.Contains(string(answer.Data), `"error"`) {
			t.Fatalf("%s: %v, %s", subject, err, answer.Data)
		}
	}
	for _, operation := range []string{"DEL", "PURGE"} {
		for _, name := range []string{"alice", "bob"} {
			ask(key+name, "", nats.Header{"KV-Operation": {operation}, "Nats-Rollup": {"sub"}})
		}
	}
	ask(key+"bob", "", nil)
	for _, question := range [][2]string{
		{"STREAM.PURGE." + stream, `{}`},
		{"STREAM.MSG.DELETE." + stream, `{"seq":1}`},
		{"STREAM.UPDATE." + stream, `{"name":"` + stream + `","subjects":["elsewhere"]}`},
		{"STREAM.SNAPSHOT." + stream, `{"deliver_subject":"` + key + `bob"}`},
		{"STREAM.RESTORE." + stream, `{"config":{"name":"` + stream + `","subjects":["$KV.tailwater_revoked.>"]},"state":{}}`},
		{"STREAM.CREATE.TAKE", `{"name":"TAKE","sources":[{"name":"` + stream + `","external":{"api":"$JS.TAILWATER.API","deliver":"` + key + `"}}]}`},
		{"STREAM.CREATE.SAME", `{"name":"SAME","mirror":{"name":"` + stream + `"}}`},
		{"STREAM.DELETE." + stream, ``},
		{"STREAM.CREATE." + stream, `{"name":"` + stream + `","subjects":["$KV.tailwater_revoked.>"]}`},
	} {
		ask("$JS.API."+question[0], question[1], nil)
	}
	create("STREAM.CREATE.COPY", `{"name":"COPY","subjects":["copy.*"],"republish":{"src":"copy.*","dest":"`+key+`{{wildcard(1)}}"}}`)
	create("STREAM.CREATE.MOVE", `{"name":"MOVE","subjects":["move.*"],"subject_transform":{"src":"move.*","dest":"`+key+`{{wildcard(1)}}"}}`)
	create("CONSUMER.CREATE.SHOP", `{"stream_name":"SHOP","config":{"deliver_subject":"`+key+`bob","ack_policy":"none"}}`)
	for _, subject := range []string{"copy.bob", "move.bob", "shop.bob", "shop.alice"} {
		if _, err := jetstreamOf(t, conn).Publish(t.Context(), subject, nil); err != nil && !strings.HasPrefix(subject, "move.") { // which is stored elsewhere
			t.Fatal(err)
		}
	}
	// Where JetStream answers is for whoever asks to say.
	noError(t, conn.PublishRequest("$JS.API.INFO", key+"bob", nil))
	noError(t, conn.Flush())
}

// The credentials and what is revoked outlive a process that is killed, and the commands of the README use them.
func TestCredentialOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	tool := natsTool(t)
	dir := t.TempDir()
	begin := func() *process {
		return startProcess(t, "TAILWATER_EMBED_DIR="+dir, "TAILWATER_AUTH_JWT_SECRET="+tokenSecret, "TAILWATER_ROUTES=/inbox=user.{claim.sub}.inbox,POST /outbox=user.{claim.sub}.outbox")
	}
	command := func(context string, args ...string) string {
		t.Helper()
		out, err := exec.Command(tool, append([]string{"--context", filepath.Join(dir, context)}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("nats %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	token := func(name string) string {
		return sign(t, tokenSecret, claimsOf(name, ""))
	}
	posts := func(p *process, name string, want int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s gets %d", name, want), func() bool {
			status, _ := request(t, "POST", p.http+"/outbox", token(name), "hi")
			return status == want
		})
	}

	p := begin()
	credentialIn(t, dir, publisherFile)
	credentialIn(t, dir, adminFile)
	before := text(t, func() ([]byte, error) { return os.ReadFile(filepath.Join(dir, adminFile)) })
	command(publisherFile, "pub", "user.bob.inbox", "hello")
	posts(p, "alice", http.StatusAccepted)
	command(adminFile, "kv", "put", auth.RevokedBucket, "sub.alice", "")
	posts(p, "alice", http.StatusUnauthorized)
	if out, err := exec.Command(tool, "--context", filepath.Join(dir, publisherFile), "--timeout=1s", "kv", "put", auth.RevokedBucket, "sub.bob", "").CombinedOutput(); err == nil {
		t.Errorf("the credential for publishing writes a bucket that means nothing: %s", out)
	}

	noError(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait()
	p = begin() // on another port
	posts(p, "bob", http.StatusAccepted)
	posts(p, "alice", http.StatusUnauthorized)
	command(adminFile, "kv", "del", "-f", auth.RevokedBucket, "sub.alice")
	posts(p, "alice", http.StatusAccepted)
	after := text(t, func() ([]byte, error) { return os.ReadFile(filepath.Join(dir, adminFile)) })
	if password(t, before) != password(t, after) {
		t.Error("the second start has made another password")
	}
}

func password(t *testing.T, context string) string {
	t.Helper()
	var found struct{ Password string }
	noError(t, json.Unmarshal([]byte(context), &found))
	return found.Password
}

// What an earlier version, or a bridge without tokens, has left in the account of everybody goes on to be revoked.
func TestOlderBucketIsTakenOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := startNode(t, settings{"EMBED_DIR": dir})
	kv, err := connectJetStream(t, n.NATSURL()).CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: auth.RevokedBucket})
	noError(t, err)
	for _, key := range []string{"sub.alice", "sub.bob", "jti.1"} {
		if _, err := kv.Put(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
	}
	noError(t, kv.Delete(t.Context(), "sub.bob"))
	n.stop(t)
	for range 2 {
		n = startNode(t, signedIn(settings{"EMBED_DIR": dir}))
		for name, want := range map[string]int{"alice": http.StatusUnauthorized, "bob": http.StatusAccepted} {
			token := sign(t, tokenSecret, claimsOf(name, ""))
			eventually(t, fmt.Sprintf("%s gets %d", name, want), func() bool {
				status, _ := request(t, "POST", n.URL()+"/outbox", token, "hi")
				return status == want
			})
		}
		taken, err := jetstreamOf(t, n.client(t, adminFile)).KeyValue(t.Context(), auth.RevokedBucket)
		noError(t, err)
		if _, err := taken.Get(t.Context(), "jti.1"); err != nil {
			t.Error(err)
		}
		n.stop(t)
	}
	n = startNode(t, settings{"EMBED_DIR": dir})
	js := connectJetStream(t, n.NATSURL())
	if _, err := js.KeyValue(t.Context(), auth.RevokedBucket); err == nil {
		t.Error("the older bucket is still there: a key of it that is deleted would come back")
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: auth.RevokedBucket}); err != nil {
		t.Fatal(err)
	}
	n.stop(t)
	var log bridgetest.Output
	startLogged(t, signedIn(settings{"EMBED_DIR": dir}), &log)
	if !strings.Contains(log.String(), "a bucket is ignored") || !strings.Contains(log.String(), "nats stream rm -f KV_tailwater_revoked") {
		t.Error("nobody is told of a bucket that means nothing")
	}
	if strings.Contains(log.String(), "is gone") {
		t.Error("the own account, which was not there without tokens, is taken for lost")
	}
}
