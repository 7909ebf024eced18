package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// lines reads newline-delimited JSON: of a message its data, of anything else the event.
func lines(t *testing.T, body string) (said []string, last string) {
	t.Helper()
	for scan := bufio.NewScanner(strings.NewReader(body)); scan.Scan(); {
		var line struct{ Event, Data, ID string }
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			t.Fatalf("%q: %v", scan.Text(), err)
		}
		if line.Event != "" {
			line.Data = line.Event
		}
		said, last = append(said, line.Data), line.ID
	}
	return said, last
}

// What is stored can be asked for in every way, with the embedded server's own settings.
func TestHistoryIsThere(t *testing.T) {
	t.Parallel()
	n := startNode(t, settings{"HISTORY_MAX_PER_SUBJECT": "3", "ANONYMOUS_WILDCARDS": "true"})
	url := n.URL() + "/events/chat.room1"
	for i := range 5 {
		post(t, url, fmt.Sprint(i))
		post(t, n.URL()+"/events/chat.room2", fmt.Sprint("2:", i))
	}
	_, body := get(t, url+"?poll=1")
	if said, _ := lines(t, body); fmt.Sprint(said) != "[tailwater:open 2 3 4 tailwater:synced]" {
		t.Errorf("poll gives %s", body)
	}
	_, body = get(t, url+"?poll=1&limit=2")
	said, last := lines(t, body)
	if fmt.Sprint(said) != "[tailwater:open 2 3]" {
		t.Errorf("poll of 2 gives %s", body)
	}
	for _, since := range []string{"", "&since=new", "&since=all"} {
		_, body = get(t, url+"?poll=1&lastEventId="+last+since)
		if said, _ := lines(t, body); fmt.Sprint(said) != "[tailwater:open 4 tailwater:synced]" {
			t.Errorf("poll behind %s%s gives %s", last, since, body)
		}
	}
	_, body = get(t, url+"?poll=1&since=new")
	if said, _ := lines(t, body); fmt.Sprint(said) != "[tailwater:open tailwater:synced]" {
		t.Errorf("poll of what is new gives %s", body)
	}
	_, body = get(t, n.URL()+"/events/chat.*?poll=1&since=last")
	if said, _ := lines(t, body); fmt.Sprint(said) != "[tailwater:open 4 2:4 tailwater:synced]" {
		t.Errorf("the last of each gives %s", body)
	}
	for since, want := range map[string][]string{"all": {"2", "3", "4"}, "10m": {"2", "3", "4"}, "last": {"4"}} {
		s, opening := subscribe(t, url+"?since="+since, "")
		if opening.Type != bridge.EventOpen {
			t.Errorf("since=%s begins with %+v", since, opening)
		}
		for _, data := range want {
			s.expect("message", data)
		}
		s.expect(bridge.EventSynced, "{}")
		// The position of an opening loses nothing, whatever is dropped behind it.
		again, _ := subscribe(t, url, opening.ID)
		for _, data := range want {
			again.expect("message", data)
		}
	}
	response, err := http.Head(url)
	noError(t, err)
	response.Body.Close()
	header := response.Header
	if header.Get("Tailwater-First-Seq") != "5" || header.Get("Tailwater-Last-Seq") != "9" || !strings.Contains(header.Get("Tailwater-Last-Id"), "-9-") {
		t.Errorf("HEAD says %v", header)
	}
}

// A route to a bucket makes a key-value watch of it: the values as they are, and every change. Nothing else of the store
// is open, and nothing of it can be written.
func TestBucketIsARoute(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	js, err := jetstream.New(publisher(t, server.URL()))
	noError(t, err)
	ctx := t.Context()
	bucket, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "config", History: 5})
	noError(t, err)
	put := func(key, value string) {
		t.Helper()
		if _, err := bucket.PutString(ctx, key, value); err != nil {
			t.Fatal(err)
		}
	}
	put("color", "red")
	put("color", "green")
	put("size.big", "10")
	n := startNode(t, settings{
		"NATS_URL": server.URL(), "ROUTES": "/config/{key...}=$KV.config.{key}", "ANONYMOUS_WILDCARDS": "true", "ANONYMOUS_SUBSCRIBE": "chat.>",
	})
	watch, _ := subscribe(t, n.URL()+"/config/%3E?since=last&format=raw", "")
	watch.expect("message", "green")
	watch.expect("message", "10")
	watch.expect(bridge.EventSynced, "{}")
	put("color", "blue")
	blue := watch.expect("message", "blue")
	noError(t, bucket.Delete(ctx, "color"))
	watch.expect(bridge.EventDelete, `{"subject":"$KV.config.color"}`)
	again, _ := subscribe(t, n.URL()+"/config/color", blue.ID)
	again.expect(bridge.EventDelete, `{"subject":"$KV.config.color"}`)
	for _, path := range []string{"/events/$KV.config.color", "/events/$KV/config/color", "/events?subject=$KV.config.color"} {
		if status, body := get(t, n.URL()+path); status != http.StatusForbidden {
			t.Errorf("GET %s: %d %s", path, status, body)
		}
	}
	if status, body := post(t, n.URL()+"/config/color", "black"); status != http.StatusForbidden {
		t.Errorf("POST: %d %s", status, body)
	}
}

// Whatever key a bucket takes, its value can be read: with slashes, which are no separators, and as long as NATS has it.
func TestEveryKeyCanBeRead(t *testing.T) {
	t.Parallel()
	for _, direct := range []bool{true, false} {
		t.Run(fmt.Sprintf("direct %v", direct), func(t *testing.T) { readEveryKey(t, direct) })
	}
}

func readEveryKey(t *testing.T, direct bool) {
	server := bridgetest.StartNATSServer(t)
	js, err := jetstream.New(publisher(t, server.URL()))
	noError(t, err)
	bucket, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "config"})
	noError(t, err)
	stream, err := js.Stream(t.Context(), "KV_config")
	noError(t, err)
	config := stream.CachedInfo().Config
	config.AllowDirect = direct
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, settings{
		"NATS_URL": server.URL(), "ROUTES": "/config/{key...}=$KV.config.{key},/one/{key}=$KV.config.{key},/part/{a}/{key...}=$KV.config.{a}.{key}",
		"ANONYMOUS_WILDCARDS": "true", "ANONYMOUS_SUBSCRIBE": "chat.>",
	})
	keys := []string{
		"a/b", "/a", "a/", "/", "//", "a//b", "a/b.c/d", "a.b/c", "a/./b", "-_=/.x", "etc/passwd",
		strings.Repeat("k", 129), strings.Repeat("t.", 40) + "t", strings.Repeat("long/", 100) + "key", strings.Repeat("x", 3900), strings.Repeat("y", 4030),
	}
	for i, key := range keys {
		if _, err := bucket.PutString(t.Context(), key, fmt.Sprint("value ", i)); err != nil {
			t.Fatalf("%.40s: %v", key, err)
		}
		subject := `{"subjects":["$KV.config.` + key + `"],"heartbeat":15}`
		routes := []string{"/config/" + url.PathEscape(key)}
		if !strings.Contains(key, ".") {
			routes = append(routes, "/one/"+url.PathEscape(key))
		}
		for _, path := range routes {
			s, opening := subscribe(t, n.URL()+path+"?since=last", "")
			if opening.Type != bridge.EventOpen || opening.Data != subject {
				t.Fatalf("%.80s opens %.100v", path, opening)
			}
			s.expect("message", fmt.Sprint("value ", i))
			s.expect(bridge.EventSynced, "{}")
			if _, body := get(t, n.URL()+path+"?poll=1"); !strings.Contains(body, fmt.Sprint("value ", i)) {
				t.Errorf("a poll of %.80s gives %.300s", path, body)
			}
		}
		path := n.URL() + routes[0]
		s, opening := subscribe(t, path, "")
		if _, err := bucket.PutString(t.Context(), key, "changed"); err != nil {
			t.Fatal(err)
		}
		s.expect("message", "changed")
		again, _ := subscribe(t, path, opening.ID)
		again.expect("message", "changed")
	}
	watch, _ := subscribe(t, n.URL()+"/config/%3E?since=last", "")
	for range keys {
		if event, err := watch.Next(); err != nil || event.Type != "message" {
			t.Errorf("%+v, %v", event, err)
		}
	}
	if stats := n.Live.Stats().NATS; stats.Connects != 1 {
		t.Errorf("%+v", stats)
	}
	// An escaped slash or dot reaches nothing that its plain form does not, and nothing outside of the bucket.
	for path, status := range map[string]int{
		"/config/..%2Fother%2Fa": 400, "/config/a%2F..%2F..%2Fb": 400, "/config/%2e%2e%2Fa": 400, "/config/a%2F%2E%2E": 400, "/config/a%2F%3E": 400,
		"/config/" + strings.Repeat("x", 4054): 400, "/config/a%2F%00": 400, "/part/a%2Fb/c": 400, "/part/a/b%2Fc": 200, "/events/chat%2Fa": 400, "/config%2Fa": 404, "/one/a%2Fb%2F*": 400, "/one/a/b": 404,
	} {
		if got, body := get(t, n.URL()+path+"?poll=1"); got != status {
			t.Errorf("GET %.80s: %d %.200s", path, got, body)
		}
	}
}

// A key too long for NATS is refused here: NATS would close the connection that everybody reads by.
func TestLongKeysEndNoConnection(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	js, err := jetstream.New(publisher(t, server.URL()))
	noError(t, err)
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "users"}); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, settings{
		"NATS_URL": server.URL(), "ROUTES": "/config/{key...}=$KV.config.{key},POST /mine/{key...}=$KV.users.{claim.sub}.{key}", "ANONYMOUS_SUBSCRIBE": "chat.>",
		"AUTH_JWT_SECRET": tokenSecret,
	})
	token, err := auth.Sign(tokenSecret, claimsOf("alice", ""))
	noError(t, err)
	for _, length := range []int{3000, 3900, 3960, 3980, 4000, 4020, 4040, 4050, 4053, 4054, 4060, 4070, 4080, 4084, 4085, 4100} {
		key := strings.Repeat("x", length) // no stream holds it
		response := askWith(t, http.MethodGet, n.URL()+"/config/"+key, "")
		if response.StatusCode == http.StatusOK {
			if event, err := bridgetest.NewStream(response.Body).Next(); err != nil || event.Type != bridge.EventOpen {
				t.Errorf("%d: %.100v, %v", length, event, err)
			}
		}
		response.Body.Close()
		posted := askWith(t, http.MethodPost, n.URL()+"/mine/"+key, "x", bearer(token), "Tailwater-Event: tick")
		if length <= 3900 && (response.StatusCode != http.StatusOK || posted.StatusCode != http.StatusCreated) || posted.StatusCode >= 500 {
			t.Errorf("%d: GET %s, POST %s", length, response.Status, posted.Status)
		}
	}
	if stats := n.Live.Stats().NATS; stats.Connects != 1 || !stats.Connected {
		t.Errorf("%+v", stats)
	}
}
