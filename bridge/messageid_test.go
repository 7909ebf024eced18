package bridge_test

import (
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

func TestMessageID(t *testing.T) {
	alice, bob, anyone := bridge.Caller{Name: "alice"}, bridge.Caller{Name: "bob"}, bridge.Caller{}
	ids := map[string]string{}
	for name, id := range map[string]string{
		"alice":                  bridge.MessageID(alice, "chat.a", "k", "", nil),
		"bob":                    bridge.MessageID(bob, "chat.a", "k", "", nil),
		"another subject":        bridge.MessageID(alice, "chat.b", "k", "", nil),
		"another key":            bridge.MessageID(alice, "chat.a", "kk", "", nil),
		"the same letters":       bridge.MessageID(alice, "chat.ak", "k", "", nil),
		"anyone":                 bridge.MessageID(anyone, "chat.a", "k", "", nil),
		"anyone, another event":  bridge.MessageID(anyone, "chat.a", "k", "e", nil),
		"anyone, another body":   bridge.MessageID(anyone, "chat.a", "k", "", []byte("e")),
		"a name of no caller":    bridge.MessageID(bridge.Caller{Name: "\x00"}, "chat.a", "k", "", nil),
		"a name like the others": bridge.MessageID(bridge.Caller{Name: "alicechat.a"}, "k", "k", "", nil),
	} {
		if other, taken := ids[id]; taken || strings.Contains(id, "alice") || len(id) > 64 {
			t.Errorf("%s has the id %q, as %s", name, id, other)
		}
		ids[id] = name
	}
	if bridge.MessageID(alice, "chat.a", "k", "e", []byte("x")) != bridge.MessageID(bridge.Caller{Name: "alice", Token: "another"}, "chat.a", "k", "", nil) {
		t.Error("the key of a caller with a name depends on the message or the token")
	}
}
