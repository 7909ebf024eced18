package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Who asks for what NATS refuses to the bridge is told so, as soon as that is known; and is served once it is allowed.
func TestRefusalsAreAnswered(t *testing.T) {
	t.Parallel()
	const run = "/answers/AAAAAAAAAAAAAAAAAAAAAAAAAA"
	type request struct{ method, path string }
	for _, test := range []struct {
		name, account, block string
		requests             map[request]int // to their status once they are allowed
	}{
		{
			"subscriptions", "", `subscribe: { deny: ["answers.>", "deaf.>", "$KV.>"] }`,
			map[request]int{
				{"GET", run}: 404, {"DELETE", run}: 404, {"POST", run + "?query=q"}: 404, {"POST", "/ask/none"}: 503,
				{"GET", "/events/deaf.a?poll=1"}: 200, {"GET", "/presence/deaf.a"}: 200,
			},
		},
		{
			"a stream", "jetstream: enabled", `publish: { deny: ["$JS.API.CONSUMER.CREATE.ANSWERS.>", "$JS.API.STREAM.MSG.GET.ANSWERS"] }`,
			map[request]int{{"GET", run}: 404, {"DELETE", run}: 404, {"POST", run + "?query=q"}: 404},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			configure := func(block string) string {
				return writeFile(t, dir, "nats.conf", fmt.Sprintf(`jetstream: enabled
accounts { A { %s
	users = [ { user: admin, password: s3cret }, { user: bridge, password: s3cret
	permissions: { %s } } ] } }
`, test.account, block))
			}
			server := bridgetest.StartNATSServer(t, "-c", configure(test.block))
			url := func(user string) string { return fmt.Sprintf("nats://%s:s3cret@127.0.0.1:%d", user, server.Port) }
			if test.account != "" {
				config := jetstream.StreamConfig{Name: "ANSWERS", Subjects: []string{"answers.>"}, AllowDirect: true}
				if _, err := connectJetStream(t, url("admin")).CreateStream(t.Context(), config); err != nil {
					t.Fatal(err)
				}
			}
			n := startNode(t, settings{
				"NATS_URL": url("bridge"), "ROUTES": "ASK /ask/{model}=llm.{model} queries", "PRESENCE": "deaf.>",
				"ANONYMOUS_SUBSCRIBE": "deaf.>", "ANONYMOUS_PUBLISH": "llm.>", "LIMIT_PUBLISH_RATE": "0",
			})
			for r := range test.requests {
				got, body := status(t, r.method, n.URL()+r.path, "")
				if got != http.StatusBadGateway || r.method != "HEAD" && !strings.Contains(body, "#refused") {
					t.Errorf("%v is answered %d %s", r, got, body)
				}
			}
			configure("")
			server.Reload(t)
			for r, want := range test.requests {
				eventually(t, fmt.Sprint(r, " is served once it is allowed"), func() bool {
					got, _ := status(t, r.method, n.URL()+r.path, "")
					return got == want
				})
			}
		})
	}
}

// Who asks for the history of what a stream holds that NATS hides from the bridge is told that it is missing; others are not. Once the
// stream may be seen, its history is read.
func TestHiddenHistoryIsToldToBeMissing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, deny string
		isAll      bool // every stream is hidden
	}{
		{name: "one stream", deny: "$JS.API.STREAM.INFO.SECRET"},
		{name: "all streams", deny: "$JS.API.STREAM.NAMES", isAll: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			configure := func(deny string) string {
				return writeFile(t, dir, "nats.conf", fmt.Sprintf(`jetstream: enabled
accounts { A { jetstream: enabled, users = [ { user: admin, password: s3cret }, { user: bridge, password: s3cret
	permissions: { publish: { deny: ["$JS.API.STREAM.CREATE.>", "%s"] } } } ] } }
`, deny))
			}
			server := bridgetest.StartNATSServer(t, "-c", configure(test.deny))
			url := func(user string) string { return fmt.Sprintf("nats://%s:s3cret@127.0.0.1:%d", user, server.Port) }
			js := connectJetStream(t, url("admin"))
			if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "SECRET", Subjects: []string{"news.>"}}); err != nil {
				t.Fatal(err)
			}
			if _, err := js.Publish(t.Context(), "news.a", []byte("stored")); err != nil {
				t.Fatal(err)
			}
			n := startNode(t, settings{"NATS_URL": url("bridge"), "ANONYMOUS_SUBSCRIBE": "news.>,live.>"})
			hello := func(path string) (kind, data string) {
				reader, first := subscribe(t, n.URL()+path, "")
				defer reader.body.Close()
				return first.Type, first.Data
			}
			if kind, data := hello("/events/news.a?since=all"); kind != bridge.EventGap || !strings.Contains(data, bridge.GapDisconnected) {
				t.Errorf("the reader of a hidden history is told %s %s", kind, data)
			}
			if _, body := get(t, n.URL()+"/events/news.a?poll=1"); !strings.Contains(body, bridge.EventGap) {
				t.Errorf("a poll of a hidden history is answered %s", body)
			}
			for path, isTold := range map[string]bool{"/events/news.a": false, "/events/live.a?since=all": test.isAll} {
				if kind, data := hello(path); (kind == bridge.EventGap) != isTold {
					t.Errorf("the reader of %s is told %s %s", path, kind, data)
				}
			}
			configure("nothing")
			server.Kill()
			server.Start(t)
			eventually(t, "the history is read", func() bool {
				_, body := get(t, n.URL()+"/events/news.a?poll=1")
				return strings.Contains(body, `"data":"stored"`) && !strings.Contains(body, bridge.EventGap)
			})
		})
	}
}

// Where JetStream is gone that was there before, readers of a run are asked to come back: it is not known to be gone with it.
func TestRunsOutlastALossOfJetStream(t *testing.T) {
	t.Parallel()
	const run = "/answers/AAAAAAAAAAAAAAAAAAAAAAAAAA"
	dir := t.TempDir()
	configure := func(block string) string {
		return writeFile(t, dir, "nats.conf", fmt.Sprintf("jetstream: enabled\naccounts { A { %s, users = [ { user: a, password: s3cret } ] } }\nno_auth_user: a", block))
	}
	server := bridgetest.StartNATSServer(t, "-c", configure("jetstream: enabled"))
	n := startNode(t, settings{"NATS_URL": server.URL(), "ROUTES": "ASK /ask/{model}=llm.{model}", "HISTORY": "answers.>", "ANONYMOUS_SUBSCRIBE": "live.>"})
	want := func(get, stop int) {
		t.Helper()
		for method, want := range map[string]int{"GET": get, "DELETE": stop} {
			if got, body := status(t, method, n.URL()+run, ""); got != want {
				t.Errorf("%s is answered %d %s, not %d", method, got, body, want)
			}
		}
	}
	want(http.StatusNotFound, http.StatusNotFound)
	server.Kill()
	configure("jetstream: disabled")
	server.Start(t)
	eventually(t, "JetStream is known to be gone", func() bool {
		_, body := get(t, n.AdminURL()+"/readyz")
		return strings.Contains(body, "there is no JetStream")
	})
	want(http.StatusOK, http.StatusServiceUnavailable)
	if _, body := get(t, n.URL()+"/events/live.a?poll=1"); strings.Contains(body, bridge.EventGap) {
		t.Errorf("who reads what no stream has held is told %s", body)
	}
	server.Kill()
	configure("jetstream: enabled")
	server.Start(t)
	eventually(t, "the runs are known again", func() bool {
		got, _ := status(t, "DELETE", n.URL()+run, "")
		return got == http.StatusNotFound
	})
}
