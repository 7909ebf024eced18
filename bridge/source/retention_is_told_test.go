package source_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tailwater/tailwater/bridge"
)

// Removals by limits are announced to clients that were disconnected, and to no others.
func TestRetention(t *testing.T) {
	t.Parallel()
	dial, js, _ := embeddedChats(t, func(config *jetstream.StreamConfig) { config.MaxMsgs = 10 })
	b := newFixture(t, dial, quiet)
	c := b.read(t, "chat.a").wantOpen()
	var ids []string
	for _, payload := range numbers(0, 50) {
		store(t, js, "chat.a", payload) // one by one: a stream as small as this drops unread messages at once
		ids = append(ids, c.message().ID)
	}
	node := newFixture(t, dial, quiet)
	exact := node.resume(t, ids[39], "chat.a").wantOpen()
	exact.wantData(numbers(40, 10)...)
	late := node.resume(t, ids[38], "chat.a")
	late.wantGap(bridge.GapRetention)
	late.wantData(numbers(40, 10)...)
}

// A subject that is exactly full has lost nothing; if no sequence of the stream is missing, that is known.
func TestFullSubject(t *testing.T) {
	t.Parallel()
	dial, js, _ := embeddedChats(t, func(config *jetstream.StreamConfig) { config.MaxMsgsPerSubject = 3 })
	b := newFixture(t, dial, quiet)
	c := b.read(t, "chat.b").wantOpen()
	store(t, js, "chat.b", "b")
	id := c.message().ID
	store(t, js, "chat.c", "c")
	store(t, js, "chat.a", numbers(0, 3)...)
	full := newFixture(t, dial, quiet).resume(t, id, "chat.a").wantOpen()
	full.wantData(numbers(0, 3)...)
	store(t, js, "chat.a", "3")
	over := newFixture(t, dial, quiet).resume(t, id, "chat.a")
	over.wantGap(bridge.GapRetention)
	over.wantData(numbers(1, 3)...)
}

// A stream that keeps one message of each subject owes no older ones; but if its other limits remove messages before they are
// read, that is announced.
func TestRetentionOfNewestMessages(t *testing.T) {
	t.Parallel()
	server := startEmbedded(t, embedListening)
	js := manager(t, server.Dial)
	config := chats
	config.MaxMsgsPerSubject, config.MaxMsgs = 1, 3
	createStream(t, js, config)
	b := newFixture(t, to(server.URL()), quiet)
	c := b.read(t, "chat.*").wantOpen()
	whileAway := func(subjects ...string) {
		b.whileAway(func() {
			for _, subject := range subjects {
				store(t, js, subject, subject)
			}
		})
	}
	store(t, js, "chat.a", "a")
	c.wantData("a")
	whileAway("chat.b", "chat.b", "chat.c", "chat.c")
	c.wantData("chat.b", "chat.c")
	whileAway("chat.d", "chat.e", "chat.f", "chat.g")
	c.wantGap(bridge.GapRetention)
	c.wantData("chat.e", "chat.f", "chat.g")
}
