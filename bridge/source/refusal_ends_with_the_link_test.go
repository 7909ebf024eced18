package source_test

import (
	"fmt"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// While NATS is away, nobody is told that it refuses a subject: that may change before it is back.
func TestRefusalEndsWithTheLink(t *testing.T) {
	t.Parallel()
	file := configFile(t, `authorization { users = [ { user: bridge, password: swordfish, permissions: { subscribe: { deny: "no.>" } } } ] }`)
	server := bridgetest.StartNATSServer(t, "-c", file)
	b := newFixture(t, to(fmt.Sprintf("nats://bridge:swordfish@127.0.0.1:%d", server.Port)), quiet)
	var refused []*client
	for i := range 3 {
		refused = append(refused, b.read(t, bridge.Subject(fmt.Sprint("no.", i))))
	}
	await := func(what string, isRefused bool) {
		t.Helper()
		for _, c := range refused {
			eventually(t, what, func() bool { return (c.reader.Refusal() != nil) == isRefused })
			c.wantNothing()
		}
	}
	await("it is refused", true)
	server.Kill()
	await("nothing is known", false)
	server.Start(t)
	await("it is refused again", true)
}
