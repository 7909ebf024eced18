package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocumentsNameRealTests proves that the tests named in documents exist.
func TestDocumentsNameRealTests(t *testing.T) {
	tests := joined(files(t, "_test.go"))
	named := 0
	for document, text := range files(t, ".md") {
		for _, match := range regexp.MustCompile("[`^]((?:Test|Fuzz|Benchmark)[A-Za-z0-9]+)[`/$]").FindAllStringSubmatch(text, -1) {
			named++
			if !strings.Contains(tests, "func "+match[1]+"(") {
				t.Errorf("%s names %s, and there is no such test", document, match[1])
			}
		}
	}
	if named < 100 {
		t.Errorf("only %d tests are named", named)
	}
}

// TestEveryPromiseIsInTheIndex proves that each file of end-to-end tests, which is named after the promise it proves, has a test in the index
// of promises or of attacks.
func TestEveryPromiseIsInTheIndex(t *testing.T) {
	index := read(t, "bridge/README.md") + read(t, "SECURITY.md")
	found := 0
	for file, content := range files(t, "_test.go") {
		if filepath.Dir(file) != filepath.Join("cmd", "tailwater", "e2e") {
			continue
		}
		found++
		tests := regexp.MustCompile(`(?m)^func (Test[A-Z]\w*)`).FindAllStringSubmatch(content, -1)
		isIndexed := slices.ContainsFunc(tests, func(test []string) bool { return test[1] == "TestMain" || strings.Contains(index, "`"+test[1]+"`") })
		if len(tests) > 0 && !isIndexed {
			t.Errorf("%s: none of its tests is named in bridge/README.md or SECURITY.md", file)
		}
	}
	if found < 50 {
		t.Errorf("only %d files were found", found)
	}
}

// TestFilesAreShort proves that every Go file can be read in one sitting.
func TestFilesAreShort(t *testing.T) {
	for file, content := range files(t, ".go") {
		if lines := strings.Count(content, "\n"); lines > 400 {
			t.Errorf("%s has %d lines, and 400 at most", file, lines)
		}
	}
}

// The README is for a reader who decides in two minutes.
func TestReadmeIsShort(t *testing.T) {
	if lines := strings.Count(read(t, "README.md"), "\n"); lines > 150 {
		t.Errorf("the README has %d lines, and 150 at most; what is for reference goes beside what it describes", lines)
	}
}

// The README describes nginx in the words of the file for it, and names the settings that the page on deploying names.
func TestReadmeRepeatsThePages(t *testing.T) {
	for language, where := range map[string]struct {
		page    string
		rewrite *strings.Replacer
	}{
		"nginx\n": {"configs/deploy/nginx.conf", strings.NewReplacer("\n", "\n    ", "http://127.0.0.1:8080", "http://tailwater")},
		"sh\nexport TAILWATER_HTTP_TRUSTED_PROXIES": {"configs/deploy/README.md", strings.NewReplacer()},
	} {
		_, block, found := strings.Cut(read(t, "README.md"), "```"+language)
		block, _, _ = strings.Cut(block, "```")
		if block = strings.TrimSpace(where.rewrite.Replace(block)); !found || !strings.Contains(read(t, where.page), block) {
			t.Errorf("%s does not have the README's block of %q:\n%s", where.page, language, block)
		}
	}
}

// TestLinksLead follows every link between documents, and within them.
func TestLinksLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	checked := 0
	for document, text := range files(t, ".md") {
		for _, match := range link.FindAllStringSubmatch(withoutCode(text), -1) {
			file, anchor, hasAnchor := strings.Cut(match[1], "#")
			if strings.Contains(match[1], "://") {
				continue // another site
			}
			checked++
			path := document
			if file != "" {
				path = filepath.Join(filepath.Dir(document), file)
			}
			if _, err := os.Stat(filepath.Join("..", "..", path)); err != nil {
				t.Errorf("%s: %v", document, err)
			} else if hasAnchor && !anchors(read(t, path))[anchor] {
				t.Errorf("%s links to %s, which has no such anchor", document, match[1])
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links were found", checked)
	}
}

var (
	codeBlock   = regexp.MustCompile("(?ms)^```.*?^```")
	codeSpan    = regexp.MustCompile("`[^`\n]*`")
	heading     = regexp.MustCompile(`(?m)^#+ (.*)$`)
	namedAnchor = regexp.MustCompile(`<a id="([^"]+)"></a>`)
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

func withoutCode(text string) string {
	return codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(text, ""), "")
}

// anchors returns the anchors of a document, as GitHub names them.
func anchors(text string) map[string]bool {
	anchors := make(map[string]bool)
	for _, match := range namedAnchor.FindAllStringSubmatch(text, -1) {
		anchors[match[1]] = true
	}
	for _, match := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		anchors[strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(match[1]), ""), " ", "-")] = true
	}
	return anchors
}

// files returns the content of each file of the repository whose name ends so, by its path.
func files(t *testing.T, ending string) map[string]string {
	t.Helper()
	found := map[string]string{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "node_modules" || name == ".git") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ending) {
			return nil
		}
		relative, err := filepath.Rel(root, path)
		found[relative] = read(t, relative)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// joined returns the content of all files.
func joined(files map[string]string) string {
	return strings.Join(slices.Collect(maps.Values(files)), "")
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
