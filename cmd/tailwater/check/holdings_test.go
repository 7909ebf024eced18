package check_test

import (
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/cmd/tailwater/check"
	"github.com/tailwater/tailwater/cmd/tailwater/nodetest"
)

func TestHoldings(t *testing.T) {
	s := nodetest.Settings(t, map[string]string{
		"NATS_URL":            "nats://127.0.0.1:1",
		"ROUTES":              "/chat/{room}=chat.{room},/work/{x}=größe.{x},/config/{key...}=$KV.config.{key}",
		"ANONYMOUS_SUBSCRIBE": "chat.>,time.>,part.>,log.a",
		"HISTORY":             "chat.>,log.>",
		"HISTORY_STREAM":      "KEPT",
	})
	const partly = "the stream PART holds a part of it only"
	var out strings.Builder
	check.WriteHoldings(&out, s, []source.Holding{
		{Filter: "chat.*", Stream: "KEPT"},
		{Filter: "größe.*", Why: "the stream WORK is a work queue"},
		{Filter: "$KV.config.>", Stream: "KV_config", Findings: []source.Finding{
			{Problem: "the stream KV_config has no limit", Remedy: "nats stream edit KV_config --max-age=720h"},
			{Problem: "the stream KV_config is sealed"},
		}},
		{Filter: "chat.>", Stream: "KEPT", Findings: []source.Finding{
			{Problem: "the stream KEPT is not as the settings ask", Remedy: "nats stream edit KEPT --max-age=24h"},
		}},
		{Filter: "time.>", Why: "no stream holds it"},
		{Filter: "part.>", Why: partly, Findings: []source.Finding{{Problem: partly, Remedy: "nats stream edit PART '--subjects=part.>'"}}},
		{Filter: "log.a", Why: "no stream holds it"},
		{Filter: "log.>", Why: "JetStream is off", Findings: []source.Finding{{Problem: "JetStream is off", Remedy: "turn it on"}}},
	})
	const want = `
History
  /chat/{room} -> chat.*            stream KEPT
  /work/{x} -> größe.*              not stored: the stream WORK is a work queue
  /config/{key...} -> $KV.config.>  stream KV_config
    ! the stream KV_config has no limit
      fix: nats stream edit KV_config --max-age=720h
    ! the stream KV_config is sealed
  chat.>                            stream KEPT
    ! the stream KEPT is not as the settings ask
      fix: nats stream edit KEPT --max-age=24h
  time.>                            not stored: no stream holds it
  part.>                            not stored: the stream PART holds a part of it only
      fix: nats stream edit PART '--subjects=part.>'
  log.a                             stream KEPT, created at the start
  log.>                             not stored: JetStream is off
      fix: turn it on
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

// A filter of several routes has a line for each, and its findings are printed once.
func TestHoldingsOfOneFilter(t *testing.T) {
	s := nodetest.Settings(t, map[string]string{
		"NATS_URL": "nats://127.0.0.1:1", "ROUTES": "/a=news,/b=news", "ANONYMOUS_SUBSCRIBE": "news", "HISTORY": "news",
	})
	if got := check.Filters(s); len(got) != 1 || got[0] != "news" {
		t.Errorf("the filters are %q", got)
	}
	var out strings.Builder
	check.WriteHoldings(&out, s, []source.Holding{{Filter: "news", Stream: "NEWS", Findings: []source.Finding{{Problem: "it is slow", Remedy: "hurry"}}}})
	const want = `
History
  /a -> news  stream NEWS
    ! it is slow
      fix: hurry
  /b -> news  stream NEWS
  news        stream NEWS
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
	out.Reset()
	if check.WriteHoldings(&out, s, nil); out.String() != "" {
		t.Errorf("of nothing it says %q", &out)
	}
}
