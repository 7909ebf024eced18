//go:build !windows

package e2e

import (
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// An operator edits the stream while it is busy: nothing of that concerns readers.
func TestChaosStreamIsEdited(t *testing.T) {
	s := startStreamFixture(t, nil)
	s.beside(2*time.Millisecond, s.bridge)
	edits := []func(*jetstream.StreamConfig){
		func(config *jetstream.StreamConfig) { config.Subjects = append(config.Subjects, "other.>") },
		func(config *jetstream.StreamConfig) { config.MaxAge = time.Hour },
		func(config *jetstream.StreamConfig) { config.AllowDirect = false },
		func(config *jetstream.StreamConfig) { config.MaxMsgsPerSubject = 1_000_000 },
		func(config *jetstream.StreamConfig) { config.Description, config.Duplicates = "edited", time.Minute },
	}
	for i := range times(len(edits)) {
		s.strike(func() {
			createStream(t, s.js, edits[i%len(edits)])
		})
	}
	s.finish(bridgetest.Rules{})
}

// The stream is deleted, is missing for some seconds, and is made again. Nobody publishes while there is none: such messages would be
// owed to nobody.
func TestChaosStreamIsDeleted(t *testing.T) {
	onlyChaos(t)
	s := startStreamFixture(t, nil)
	s.readers(s.bridge)
	var pause gate
	s.publish("chat.a", 2*time.Millisecond, pause.before(byNATS(t, s.server.URL())))
	s.publish("chat.b", 2*time.Millisecond, pause.before(byNATS(t, s.server.URL())))
	for range strikes(5) {
		s.strike(func() {
			pause.Lock()
			defer pause.Unlock()
			s.ledger.Disturb(func() {
				noError(t, s.js.DeleteStream(s.ctx, "CHAT"))
				s.pass(3 * time.Second)
				createStream(t, s.js, nil)
				s.pass(time.Second) // the bridges have heard of it
			})
		})
	}
	s.finish(bridgetest.Rules{Gaps: []string{"disconnected", "retention"}, Resets: []string{"recreated", "unknown"}})
}

// The permissions of the bridge at NATS are taken away and given back, by a reload of the server.
func TestChaosPermissionsAreChanged(t *testing.T) {
	onlyChaos(t)
	c := startChaos(t)
	dir := t.TempDir()
	config := func(denied string) string {
		return writeFile(t, dir, "nats.conf", fmt.Sprintf(`authorization { users = [
			{ user: bridge, password: s3cret, permissions: { publish: { allow: ">", deny: [%s] }, subscribe: ">" } }
			{ user: other, password: s3cret }
		] }`, denied))
	}
	server := bridgetest.StartNATSServer(t, "-c", config(""))
	url := func(user string) string { return fmt.Sprintf("nats://%s:s3cret@127.0.0.1:%d", user, server.Port) }
	createStream(t, connectJetStream(t, url("other")), nil)
	b := startBridge(t, settings{"NATS_URL": url("bridge")})
	c.readers(b)
	c.publish("chat.a", 5*time.Millisecond, byNATS(t, url("other")))
	c.publish("chat.b", 5*time.Millisecond, byNATS(t, url("other")))
	for range strikes(5) {
		c.strike(func() {
			config(`"$JS.API.CONSUMER.>", "$JS.API.DIRECT.>", "$JS.API.STREAM.MSG.>"`)
			server.Reload(t)
			c.pass(5 * time.Second)
			config("")
			server.Reload(t)
		})
	}
	c.finish(bridgetest.Rules{Gaps: []string{"disconnected"}}) // when the stream becomes unreadable, and readable
}

// NATS gets a certificate of another authority, and the bridge the file of that authority a moment later, while it runs.
func TestChaosCertificateIsExchanged(t *testing.T) {
	onlyChaos(t)
	c := startChaos(t)
	dir, trusted := t.TempDir(), t.TempDir()
	exchange := func() (trust func()) {
		a := newIssuer(t)
		certificate, key, _ := a.issue()
		writeFile(t, dir, "cert.pem", string(certificate))
		writeFile(t, dir, "key.pem", string(key))
		return func() {
			writeFile(t, trusted, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})))
		}
	}
	exchange()()
	server := bridgetest.StartNATSServer(t, "--tls", "--tlscert", filepath.Join(dir, "cert.pem"), "--tlskey", filepath.Join(dir, "key.pem"))
	b := startBridge(t, settings{
		"NATS_URL": "tls" + strings.TrimPrefix(server.URL(), "nats"), "NATS_TLS_CA": filepath.Join(trusted, "ca.pem"), "HISTORY": "chat.>",
	})
	c.readers(b)
	c.publish("chat.a", 5*time.Millisecond, byPost(t, b))
	c.publish("chat.b", 5*time.Millisecond, byPost(t, b))
	for range strikes(5) {
		c.strike(func() {
			trust := exchange()
			server.Kill() // so that the bridge has to connect again
			server.Start(t)
			c.pass(3 * time.Second)
			trust()
		})
	}
	c.finish(bridgetest.Rules{})
}
