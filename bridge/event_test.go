package bridge_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

func TestCheckEventName(t *testing.T) {
	for _, good := range []string{
		"tick", "user joined", "größe", "聊天", "\U0001f30a", "a:b", "id: 5", "Open", "opened", "messages",
		"Tailwater:gap", "tailwater", "tailwater.gap", "chat.room1", strings.Repeat("a", 512), "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
	} {
		if err := bridge.CheckEventName(good); err != nil {
			t.Errorf("%q is an event name, but: %v", good, err)
		}
	}
	for bad, says := range map[string]string{
		"":                       "empty",
		strings.Repeat("a", 513): "513 bytes; at most 512",
		"open":                   "EventSource uses",
		"error":                  "EventSource uses",
		"message":                "EventSource uses",
		"tailwater:":             "Tailwater's own",
		"tailwater:gap":          "Tailwater's own",
		"tailwater:new":          "Tailwater's own",
		"a\nb":                   "not printable",
		"a\rid: 5":               "not printable",
		"a\n\ndata: x":           "not printable",
		"a\x00":                  "not printable",
		"a\tb":                   "not printable",
		"a\u2028b":               "not printable",
		"a\u0085b":               "not printable",
		"a\u00a0b":               "not printable",
		"\ufeffa":                "not printable",
		"a\u202eb":               "not printable",
		"a\xff":                  "not printable",
		" a":                     "blank",
		"a ":                     "blank",
		" ":                      "blank",
	} {
		err := bridge.CheckEventName(bad)
		if !errors.Is(err, bridge.ErrEventName) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is no event name, and the error should say %q: %v", bad, says, err)
		}
	}
}
