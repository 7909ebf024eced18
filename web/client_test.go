package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"testing"

	"github.com/tailwater/tailwater/web"
)

// What a page has to load for the client is little.
func TestClientIsSmall(t *testing.T) {
	const most = 4 << 10
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(source(t, "client/client.js"))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if packed.Len() >= most {
		t.Errorf("client.js has %d bytes gzipped; it must have fewer than %d", packed.Len(), most)
	}
}

// The client depends on nothing: it can be copied, and imported from the bridge.
func TestClientStandsAlone(t *testing.T) {
	if found := regexp.MustCompile(`(?m)^import |await import\(`).FindString(source(t, "client/client.js")); found != "" {
		t.Errorf("client.js has an %q", found)
	}
	var manifest struct {
		License      string
		Files        []string
		Dependencies map[string]string
		Exports      map[string]map[string]string
	}
	if err := json.Unmarshal([]byte(source(t, "client/package.json")), &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.License != "Apache-2.0" || len(manifest.Dependencies) > 0 {
		t.Errorf("package.json: license %q, dependencies %v", manifest.License, manifest.Dependencies)
	}
	for _, name := range manifest.Files {
		source(t, "client/"+name) // fails where it is missing
	}
	for _, path := range manifest.Exports["."] {
		if !slices.Contains(manifest.Files, path[len("./"):]) {
			t.Errorf("package.json exports %s, which is not published", path)
		}
	}
	if source(t, "client/LICENSE") != source(t, "../LICENSE") {
		t.Error("the license of the package is not that of the repository")
	}
}

// Where the pages are not served, the client is.
func TestClientAlone(t *testing.T) {
	if web.Client("/") != nil || web.Client("/web/base.css") != nil {
		t.Error("more than the client is served")
	}
	handler := web.Client("/client.js")
	if handler == nil {
		t.Fatal("there is no /client.js")
	}
	if response := request(t, http.MethodGet, "/client.js"); body(t, response) != source(t, "client/client.js") {
		t.Error("/client.js is not client/client.js")
	}
}
