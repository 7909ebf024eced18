package bridgetest_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

func TestSecrets(t *testing.T) {
	const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6OTl9.c2lnbmF0dXJlIHRoYXQgaXMgbG9uZyBlbm91Z2g"
	for name, test := range map[string]struct {
		say  func(*bridgetest.Secrets, *slog.Logger)
		code int
	}{
		"nothing":            {func(*bridgetest.Secrets, *slog.Logger) {}, 0},
		"something else":     {func(s *bridgetest.Secrets, _ *slog.Logger) { s.Overhear("a sword, a fish, and eyJ") }, 0},
		"an error":           {func(s *bridgetest.Secrets, _ *slog.Logger) { s.Overhear("dial nats://ada:swordfish@a") }, 1},
		"a log":              {func(_ *bridgetest.Secrets, log *slog.Logger) { log.Warn("refused", "error", errors.New("swordfish")) }, 1},
		"a log for nobody":   {func(_ *bridgetest.Secrets, log *slog.Logger) { log.With("url", "swordfish").Debug("x") }, 1},
		"a signature":        {func(s *bridgetest.Secrets, _ *slog.Logger) { s.Overhear(token[strings.LastIndex(token, ".")+1:]) }, 1},
		"a cut token":        {func(s *bridgetest.Secrets, _ *slog.Logger) { s.Overhear("refused " + token[:40] + "…") }, 1},
		"the end of a token": {func(s *bridgetest.Secrets, _ *slog.Logger) { s.Overhear("…" + token[len(token)-20:]) }, 1},
		"before it was known": {func(s *bridgetest.Secrets, log *slog.Logger) {
			log.Info("made a ticket", "ticket", "VGhpcyBpcyBhIHRpY2tldCwgcmVhbGx5")
			s.Plant("VGhpcyBpcyBhIHRpY2tldCwgcmVhbGx5")
		}, 1},
		"behind much else": {func(s *bridgetest.Secrets, log *slog.Logger) {
			for range 300 {
				s.Overhear(strings.Repeat("x", 10_000))
			}
			log.Info("late", "secret", "swordfish")
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var s bridgetest.Secrets
			s.Plant("swordfish", token)
			test.say(&s, slog.New(s.Log(slog.DiscardHandler)))
			var told strings.Builder
			if code := s.Verdict(0, &told); code != test.code || (told.Len() > 0) != (code > 0) {
				t.Errorf("exit code %d, and %q", code, &told)
			}
			if code := s.Verdict(2, &told); code != 2 {
				t.Errorf("the tests' own code 2 became %d", code)
			}
		})
	}
}
