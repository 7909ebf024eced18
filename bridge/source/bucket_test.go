package source_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// If NATS does not let the bridge look for a bucket, or JetStream is gone, the bucket does not count as missing: its keys are
// unknown.
func TestBucketThatCannotBeLookedFor(t *testing.T) {
	t.Parallel()
	refusing := configFile(t, `authorization { users: [ { user: bridge, password: swordfish, permissions: { publish: { deny: "$JS.API.STREAM.NAMES" } } } ] }`)
	without := configFile(t, `accounts: { A: { users: [ { user: bridge, password: swordfish } ] } }`)
	for name, test := range map[string]struct {
		file     string
		api      string
		was      *source.Bucket
		isUnread bool
	}{
		"refused":                     {file: refusing, isUnread: true},
		"without JetStream":           {file: without},
		"gone with JetStream":         {file: without, was: &source.Bucket{Exists: true}, isUnread: true},
		"JetStream of another domain": {file: without, api: source.DomainAPI("hub"), isUnread: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := bridgetest.StartNATSServer(t, "-c", test.file)
			b := newFixtureWith(t, to(fmt.Sprintf("nats://bridge:swordfish@127.0.0.1:%d", server.Port)), source.Config{API: test.api}, quiet)
			found, err := b.source.Bucket(within(t, patience), "KEYS", time.Hour, test.was)
			if err != nil || found.Unreadable != test.isUnread || found.Exists != test.isUnread || test.isUnread == (found.Problem == "") {
				t.Errorf("the bucket is %+v, %v; that its keys are not known should be %v", found, err, test.isUnread)
			}
		})
	}
}
