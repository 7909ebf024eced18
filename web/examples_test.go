package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// examples returns the examples' files, each with the path where it is served.
func examples(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("examples/*.html")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d examples: %v", len(files), err)
	}
	at := map[string]string{}
	for _, file := range files {
		at[filepath.ToSlash(file)] = "/" + strings.TrimSuffix(strings.TrimSuffix(filepath.ToSlash(file), ".html"), "index")
	}
	return at
}

var script = regexp.MustCompile(`(?s)<script[^>]*>(.*?)</script>`)

// An example is served as it is. Its policy allows the script in it, by its hash, and no other code inside the page.
func TestExamples(t *testing.T) {
	for file, at := range examples(t) {
		t.Run(at, func(t *testing.T) {
			response := request(t, http.MethodGet, at)
			text := body(t, response)
			if response.StatusCode != http.StatusOK || text != source(t, file) {
				t.Fatalf("%s, and a body that is not %s", response.Status, file)
			}
			scripts := []string{"'self'"}
			for _, inside := range script.FindAllStringSubmatch(text, -1) {
				if inside[1] != "" {
					sum := sha256.Sum256([]byte(inside[1]))
					scripts = append(scripts, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
				}
			}
			if file == "examples/datastar.html" { // the library makes functions of attributes
				scripts = append(scripts, "'unsafe-eval'")
			}
			want := "default-src 'none'; script-src " + strings.Join(scripts, " ") + "; style-src 'self'; img-src 'self'; " +
				"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
			if got := response.Header.Get("Content-Security-Policy"); got != want {
				t.Errorf("policy %s\nwant   %s", got, want)
			}
		})
	}
}

// The libraries of others are served with their licences.
func TestExampleLibraries(t *testing.T) {
	libraries, err := filepath.Glob("examples/lib/*.js")
	if err != nil || len(libraries) == 0 {
		t.Fatalf("%q, %v", libraries, err)
	}
	for _, library := range libraries {
		for file, contentType := range map[string]string{
			library: "text/javascript; charset=utf-8", strings.TrimSuffix(library, ".js") + ".LICENSE.txt": "text/plain; charset=utf-8",
		} {
			response := request(t, http.MethodGet, "/web/"+filepath.ToSlash(file))
			if got := response.Header.Get("Content-Type"); got != contentType || body(t, response) != source(t, file) {
				t.Errorf("%s is served as %s", file, got)
			}
		}
	}
}

// The list leads to every example, and to nothing else.
func TestExamplesAreListed(t *testing.T) {
	var listed, want []string
	for _, link := range regexp.MustCompile(`<li><a href="([^"]+)"`).FindAllStringSubmatch(source(t, "examples/index.html"), -1) {
		listed = append(listed, link[1])
	}
	for _, at := range examples(t) {
		if at != "/examples/" {
			want = append(want, at)
		}
	}
	slices.Sort(listed)
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf("the list has %q, and there are %q", listed, want)
	}
}

// Every text of an example is there in both languages, side by side.
func TestExamplesInEveryLanguage(t *testing.T) {
	for file := range examples(t) {
		text := source(t, file)
		english, chinese := strings.Count(text, ` lang="en">`), strings.Count(text, ` lang="zh">`)
		if english-1 != chinese || chinese == 0 { // html itself is English
			t.Errorf("%s: %d texts in English, %d in Chinese", file, english-1, chinese)
		}
		inMarkup := script.ReplaceAllString(text, "")
		for _, forbidden := range []string{"TODO", "innerHTML"} {
			if strings.Contains(inMarkup, forbidden) {
				t.Errorf("%s holds %s", file, forbidden)
			}
		}
	}
}

// The file of an example needs nothing but the shared style, script and icon.
func TestExamplesAreOneFile(t *testing.T) {
	for file := range examples(t) {
		for _, match := range regexp.MustCompile(`(?:<script[^>]* src|<link[^>]* href|<img[^>]* src)="([^"]+)"`).FindAllStringSubmatch(source(t, file), -1) {
			shared := slices.Contains([]string{"/web/icon.svg", "/web/base.css", "/web/examples.css", "/web/examples.js"}, match[1])
			_, err := os.Stat(strings.TrimPrefix(match[1], "/web/"))
			if !shared && !strings.HasPrefix(match[1], "/web/examples/lib/") || err != nil {
				t.Errorf("%s needs %s: %v", file, match[1], err)
			}
		}
	}
}
