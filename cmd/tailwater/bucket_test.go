package main

import (
	"net/http"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// A route shows a bucket to everyone, from its stream; nothing else of NATS's own is shown, and nobody writes to it.
func TestRouteToBucket(t *testing.T) {
	n := startNode(t, settings{"ROUTES": "/config/{key...}=$KV.config.{key}", "ANONYMOUS_SUBSCRIBE": ""})
	bucket, err := connectJetStream(t, n.natsURL()).CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "config"})
	if err != nil {
		t.Fatal(err)
	}
	reader, _ := subscribe(t, n.url()+"/config/site/title", "")
	for _, title := range []string{"one", "two"} {
		if _, err := bucket.PutString(t.Context(), "site.title", title); err != nil {
			t.Fatal(err)
		}
		reader.expect("message", title)
	}
	for _, path := range []string{"/events/$KV.config.site.title", "/events?subject=$KV.config.site.title", "/config/%3E", "/events/$KV.other.a"} {
		if status, body := get(t, n.url()+path); status != http.StatusForbidden {
			t.Errorf("GET %s answers %d %s", path, status, body)
		}
	}
	if status, body := post(t, n.url()+"/config/site/title", "three"); status != http.StatusForbidden {
		t.Errorf("POST answers %d %s", status, body)
	}
	if entry, err := bucket.Get(t.Context(), "site.title"); err != nil || string(entry.Value()) != "two" {
		t.Errorf("the key is %v, %v", entry, err)
	}
}
